/** The public API of the packages, as the compiler sees it: each name has a docstring, each function and class an example that compiles. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  API,
  type Checker,
  type Program,
  type Project,
  type Symbol as Named,
  SymbolFlags,
} from 'typescript/unstable/sync';

const ROOT = join(import.meta.dirname, '../..');
const { Alias, Function, Class, Interface, Property, Method, Accessor } = SymbolFlags;

/**
 * The modules that the packages' `exports` offer. Of the protocol, only those that its README names: the others are for our own packages.
 */
export function publicModules(): string[] {
  const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
  const doors = ['server', 'verifier', 'client'].flatMap((name) => {
    const { exports } = JSON.parse(read(`packages/${name}/package.json`)) as {
      exports: Record<string, string | { 'curfew-source': string }>;
    };
    return Object.values(exports).flatMap((door) =>
      typeof door === 'object' ? [join('packages', name, door['curfew-source'])] : [],
    );
  });
  const named = [...read('packages/protocol/README.md').matchAll(/^- `@curfew\/protocol\/(.+?)`/gm)];
  const modules = named.flatMap(([, name = '']) => {
    const folder = join('packages/protocol/src', name.replace('…', ''));
    return name.endsWith('…')
      ? readdirSync(join(ROOT, folder)).map((file) => join(folder, file))
      : [`${folder}.ts`];
  });
  return [...doors, ...modules];
}

/** Returns the faults in the docstrings of modules. @param modules paths from the repository's root */
export function findDocFaults(modules: string[]): string[] {
  const cache = join(ROOT, 'node_modules/.cache');
  mkdirSync(cache, { recursive: true });
  // Inside the repository, so that the examples' imports are found.
  const scratch = mkdtempSync(join(cache, 'examples-'));
  const compiler = new API({ cwd: ROOT });
  const open = (name: string, files: string[]): Project => {
    const config = join(scratch, `${name}.json`);
    writeFileSync(config, JSON.stringify({ ...CONFIG, files }));
    const project = compiler.updateSnapshot({ openProjects: [config] }).getProject(config);
    if (!project) throw new Error(`the compiler did not open ${config}`);
    return project;
  };
  try {
    const faults: string[] = [];
    const examples = new Map<string, string>();
    const { program, checker } = open(
      'modules',
      modules.map((path) => join(ROOT, path)),
    );
    for (const entry of modules.flatMap((path) => entriesOf(path, program, checker))) {
      if (entry.text === '') faults.push(`${entry.name}: no docstring`);
      if (entry.needsExample && entry.examples.length === 0) faults.push(`${entry.name}: no example`);
      for (const example of entry.examples) {
        const file = join(scratch, `example-${examples.size}.ts`);
        writeFileSync(file, `${example}\nexport {};\n`);
        examples.set(file, entry.name);
      }
    }
    const compiled = open('examples', [...examples.keys()]).program;
    for (const [file, name] of examples)
      for (const { text } of [
        ...compiled.getSyntacticDiagnostics(file),
        ...compiled.getSemanticDiagnostics(file),
      ])
        faults.push(`${name}: its example does not compile: ${text}`);
    return faults;
  } finally {
    compiler.close();
    rmSync(scratch, { recursive: true });
  }
}

/** As strict as the sources, except for rules that would only make examples longer. */
const CONFIG = {
  extends: '../../../tsconfig.base.json',
  compilerOptions: {
    noEmit: true,
    composite: false,
    declaration: false,
    declarationMap: false,
    sourceMap: false,
    isolatedDeclarations: false,
    noPropertyAccessFromIndexSignature: false,
    noUnusedLocals: false,
    noUnusedParameters: false,
    types: ['node'],
    lib: ['es2024', 'dom', 'dom.iterable'],
  },
};

interface Entry {
  name: string;
  text: string;
  examples: string[];
  needsExample: boolean;
}

/** The names that a module exports, and the members of its interfaces and classes. */
function entriesOf(path: string, program: Program, checker: Checker): Entry[] {
  const source = program.getSourceFile(join(ROOT, path));
  const module = source && checker.getSymbolAtLocation(source);
  if (!module) throw new Error(`${path}: no module`);
  const entryOf = (symbol: Named, name: string): Entry => ({
    name: `${path}: ${name}`,
    text: symbol.getDocumentationComment(checker),
    examples: symbol.getJsDocTags(checker).flatMap((tag) => (tag.name === 'example' ? [tag.text ?? ''] : [])),
    needsExample: (symbol.flags & (Function | Class)) !== 0,
  });
  return checker.getExportsOfModule(module).flatMap((exported) => {
    const symbol = exported.flags & Alias ? checker.getAliasedSymbol(exported) : exported;
    // docs/http.md describes the members of what crosses the wire.
    const hasMembers = (symbol.flags & (Interface | Class)) !== 0 && !path.includes('/wire/');
    const members = hasMembers ? [...symbol.getMembers().values()] : [];
    return [
      entryOf(symbol, exported.name),
      ...members
        .filter(({ name, flags }) => flags & (Property | Method | Accessor) && /^[a-z]/i.test(name))
        .filter(({ name }) => name !== 'name' || (symbol.flags & Class) === 0)
        .map((member) => entryOf(member, `${exported.name}.${member.name}`)),
    ];
  });
}
