import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';

/** Where the compiler writes, in each package. */
const COMPILED = '.build';

/**
 * Writes a package's `dist` from what the compiler wrote: its own modules, and those of other packages of this repository that they
 * import, with the imports pointing there (docs/decisions/0072). So the package installs alone.
 * @param packages the directory of the packages
 */
export function writeDist(name: string, packages: string): void {
  const dist = join(packages, name, 'dist');
  rmSync(dist, { recursive: true, force: true });
  const waiting = compiledFiles(join(packages, name));
  const seen = new Set(waiting);
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const [owner = '', ...rest] = path.split('/');
    const isForeign = OWNED.test(path);
    const text = readFileSync(
      isForeign ? join(packages, owner.slice(1), COMPILED, ...rest) : join(packages, name, COMPILED, path),
      'utf8',
    );
    const { pointed, needed } = pointInside(text, path);
    // The map of a copy would point to a source that is not there.
    write(join(dist, path), isForeign ? pointed.replace(/^\/\/# sourceMappingURL=.*\n?/m, '') : pointed);
    for (const one of needed.filter((file) => !seen.has(file))) {
      seen.add(one);
      waiting.push(one);
    }
  }
}

/** A module of another package, as a path in `dist`: `@protocol/cuts.js`. */
const OWNED = /^@/;

const compiledFiles = (home: string): string[] =>
  readdirSync(join(home, COMPILED), { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.(?:js|ts|map)$/.test(path))
    .map((path) => path.replaceAll('\\', '/'));

/** A line of an import. A comment's line is an example for readers. */
const IMPORT = /^(?!\s*(?:\*|\/\/)).*\b(?:from|import)\b.*$/gm;
const SPECIFIER = /(['"])(@curfew\/|\.{1,2}\/)([\w/.-]+)\1/g;

/** Lets the imports of a file point into its own package. @returns with the paths in `dist` of modules of other packages it needs */
function pointInside(text: string, path: string): { pointed: string; needed: string[] } {
  const extension = /\.(?:d\.ts|js)$/.exec(path)?.[0];
  if (extension === undefined) return { pointed: text, needed: [] };
  const folder = posix.dirname(path);
  const needed: string[] = [];
  const pointed = text.replaceAll(IMPORT, (line) =>
    line.replaceAll(SPECIFIER, (all, quote: string, start: string, rest: string) => {
      if (start !== '@curfew/') {
        if (OWNED.test(path)) needed.push(posix.join(folder, start, rest).replace(/\.(?:js|ts)$/, extension));
        return all;
      }
      const module = `@${rest.includes('/') ? rest : `${rest}/index`}`;
      needed.push(module + extension);
      const relative = posix.relative(folder, `${module}.js`);
      return `${quote}${relative.startsWith('.') ? '' : './'}${relative}${quote}`;
    }),
  );
  return { pointed, needed };
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
