import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'vite';

/** The file of a package of ours with the licences of what others wrote and it carries. */
export const NOTICES = 'THIRD-PARTY-NOTICES';

/** A package of others, as carried. */
interface Carried {
  name: string;
  version: string;
  license: string;
  /** What its authors say of it, and want to be carried along. */
  texts: string[];
}

/** Collects the modules that a bundle is made of. */
export function inputsPlugin(inputs: Set<string>): Plugin {
  return {
    name: 'inputs',
    buildEnd() {
      for (const id of this.getModuleIds()) inputs.add(id);
    },
  };
}

const IN_PACKAGE = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//;
/** Made by our own build; see tools/build-pages.ts. */
const OWN_VIRTUAL = '\0virtual:texts';

/** The packages of others among the modules of a bundle. */
export function carriedIn(inputs: Iterable<string>): Carried[] {
  const homes = new Set<string>();
  for (const id of inputs) {
    const home = IN_PACKAGE.exec(id.replaceAll('\\', '/'))?.[1];
    if (home !== undefined) homes.add(home);
    // A helper of the bundler has a licence too, but no file that names it.
    else if (id.startsWith('\0') && id !== OWN_VIRTUAL)
      throw new Error(`the bundle contains ${id.slice(1)}: tools/build/notices.ts must know whose it is`);
  }
  return [...homes].map((home) => carriedFrom(home));
}

/** @param more further files of it with texts of licences */
function carriedFrom(home: string, more: readonly string[] = []): Carried {
  const { name, version, license } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as Carried;
  const files = readdirSync(home).filter((file) => /^(?:licen[cs]e|copying|notice)\b/i.test(file));
  if (files.length === 0) throw new Error(`${name} has no file with its licence`);
  const texts = [...files.toSorted(), ...more].map((file) => readFileSync(join(home, file), 'utf8').trim());
  return { name, version, license, texts };
}

/** The list of common passwords in `domain/common-passwords.ts`. */
export const COMMON_PASSWORDS: Carried = {
  name: '@zxcvbn-ts/language-common',
  version: '4.1.3',
  license: 'MIT',
  texts: [readFileSync(join(import.meta.dirname, 'common-passwords-license.txt'), 'utf8').trim()],
};

/** Swagger UI, which is a bundle of other packages itself. Its authors publish their names, and some of their notices. */
export function swaggerUi(home: string): Carried {
  const carried = carriedFrom(home, ['swagger-ui-bundle.js.LICENSE.txt']);
  const sizes = readFileSync(join(home, 'log.bundle-sizes.swagger-ui.txt'), 'utf8');
  const names = [...sizes.matchAll(/^([@\w][^:\s]*): /gm)].map(([, name = '']) => name);
  return {
    ...carried,
    texts: [...carried.texts, `It contains parts of these packages: ${names.toSorted().join(', ')}.`],
  };
}

const LINE = '='.repeat(80);

/** Writes the notices of what a package of ours carries; nothing, where it carries nothing. */
export function writeNotices(home: string, carried: readonly Carried[]): void {
  if (carried.length === 0) return;
  const { files } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as { files: string[] };
  if (!files.includes(NOTICES))
    throw new Error(`${home} carries packages of others: its "files" must name ${NOTICES}`);
  const parts = carried
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, version, license, texts }) =>
      [LINE, `${name} ${version}, ${license}`, ...texts].join('\n\n'),
    );
  const first = 'This package contains parts of the following packages. Each of them has its own licence.';
  writeFileSync(join(home, NOTICES), `${[first, ...parts].join('\n\n')}\n`);
}
