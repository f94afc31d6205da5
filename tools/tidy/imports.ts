/** The imports of the whole tree: cycles, files that nothing reaches, exports that no file imports. */
import { posix } from 'node:path';
import { type SourceFile, withoutComments } from './source.ts';

interface Import {
  /** The path of the file that is imported. */
  from: string;
  /** `*` where all of it is. */
  names: string[];
}

interface Module {
  path: string;
  imports: Import[];
  exports: string[];
  /** The ends of paths in its texts: of files that are started as processes, or built into pages. */
  mentions: string[];
}

/** @param files the sources, each package's `package.json`, and other files that may name sources */
export function findImportFaults(files: SourceFile[]): string[] {
  const packages = new Map(
    files
      .filter(({ path }) => /^packages\/[^/]+\/package\.json$/.test(path))
      .map(({ path, source }) => {
        const manifest = JSON.parse(source) as { name: string; exports?: Record<string, unknown> };
        return [manifest.name, { home: posix.dirname(path), exports: manifest.exports ?? {} }];
      }),
  );
  const modules = files
    .filter(({ path }) => isModule(path))
    .map(({ path, source }) => read(path, withoutComments(source), packages));
  const others = files
    .filter(({ path }) => !isModule(path))
    .map(({ path, source }) => ({ path, imports: [], exports: [], mentions: mentionsIn(source) }));
  return [
    ...findCycles(new Map(modules.map(({ path, imports }) => [path, imports.map(({ from }) => from)]))),
    ...findDeadFiles(modules, others),
    ...findDeadExports(modules, packages),
  ];
}

type Packages = Map<string, { home: string; exports: Record<string, unknown> }>;

const isModule = (path: string): boolean => /\.(?:tsx?|mjs|js)$/.test(path);
/** Run by vitest, or by a test as a process. */
const isTest = (path: string): boolean => /(?:^|\/)test\/|\.test\.tsx?$/.test(path);

function read(path: string, code: string, packages: Packages): Module {
  const imports: Import[] = [];
  const add = (target: string, names: string[]): void => {
    const from = resolve(path, target, packages);
    if (from !== null) imports.push({ from, names });
  };
  for (const [, clause = '', target = ''] of code.matchAll(STATEMENT)) add(target, namesIn(clause));
  for (const [, target = ''] of code.matchAll(/^import '([^']+)'/gm)) add(target, []);
  for (const [, target = ''] of code.matchAll(/\bimport\(\s*'([^']+)'/g)) add(target, ['*']);
  return { path, imports, exports: exportsIn(code), mentions: mentionsIn(code) };
}

const STATEMENT = /^(?:import|export)\s+(?:type\s+)?([^'"`;]*?)\s*\bfrom\s*'([^']+)'/gm;

/** The names that an import takes from the other file. */
function namesIn(clause: string): string[] {
  if (clause.includes('*')) return ['*'];
  const braces = /\{([\s\S]*)\}/.exec(clause)?.[1] ?? '';
  const names = braces
    .split(',')
    .map(
      (item) =>
        item
          .trim()
          .replace(/^type\s+/, '')
          .split(/\s+as\s+/)[0] as string,
    )
    .filter((name) => name !== '');
  return /^[\w$]/.test(clause) ? [...names, 'default'] : names;
}

/** The names that a file exports, except those that it passes on. The formatter puts each at the start of a line. */
function exportsIn(code: string): string[] {
  const declared = [
    ...code.matchAll(
      /^export (?:declare )?(?:default )?(?:abstract )?(?:async )?(?:function\*?|const|let|class|interface|type|enum|namespace) ([\w$]+)/gm,
    ),
  ].map(([, name]) => name as string);
  const listed = [...code.matchAll(/^export (?:type )?\{([^}]*)\};/gm)].flatMap(([, list = '']) =>
    list
      .split(',')
      .map(
        (item) =>
          item
            .trim()
            .split(/\s+as\s+/)
            .at(-1) as string,
      )
      .filter((name) => name !== ''),
  );
  return [...declared, ...listed];
}

const mentionsIn = (text: string): string[] =>
  [...text.matchAll(/[\w./@-]*\w\.(?:tsx?|mjs|js)\b/g)].map(([name]) =>
    name.replace(/^(?:\.{0,2}\/)+/, '').replace(/^dist\//, 'src/'),
  );

function resolve(path: string, target: string, packages: Packages): string | null {
  if (target.startsWith('.')) return posix.join(posix.dirname(path), target.split('?')[0] as string);
  const [scope, name, ...rest] = target.split('/');
  const found = packages.get(`${scope}/${name}`);
  if (!found) return null;
  const door = rest.length === 0 ? '.' : `./${rest.join('/')}`;
  const own = found.exports[door] ?? found.exports['./*'];
  const source = (own as { 'curfew-source'?: string } | undefined)?.['curfew-source'];
  return source === undefined ? null : posix.join(found.home, source.replace('*', rest.join('/')));
}

/** Rings of files, by any import at all: a type is a dependency too. */
function findCycles(edges: Map<string, string[]>): string[] {
  const faults: string[] = [];
  const finished = new Set<string>();
  const visit = (path: string, trail: string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) faults.push(`import cycle: ${[...trail.slice(start), path].join(' -> ')}`);
    if (start >= 0 || finished.has(path)) return;
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path]);
    finished.add(path);
  };
  for (const path of edges.keys()) visit(path, []);
  return faults;
}

/** Files that a tool finds by their folder or name. */
const FOUND = [
  /^examples\/next\/(?:app\/|next\.config)/,
  /^web\/(?:src\/pages|languages)\//,
  /global-setup\.ts$/,
  /\.config\.ts$/,
  /\.d\.ts$/,
];
const isFound = (path: string): boolean => FOUND.some((pattern) => pattern.test(path));

/** Sources that no program reaches, and other files that not even a test does. */
function findDeadFiles(modules: Module[], others: Module[]): string[] {
  const edges = new Map(modules.map((module) => [module.path, module.imports.map(({ from }) => from)]));
  const byName = Map.groupBy(modules, ({ path }) => posix.basename(path));
  const roots = new Set(modules.map(({ path }) => path).filter(isFound));
  for (const { path: by, mentions } of [...others, ...modules]) {
    for (const end of mentions) {
      const named = (byName.get(posix.basename(end)) ?? []).filter(
        ({ path }) => path !== by && `/${path}`.endsWith(`/${end}`),
      );
      for (const { path } of named) {
        if (isModule(by)) edges.get(by)?.push(path);
        else roots.add(path);
      }
    }
  }
  const tests = modules.map(({ path }) => path).filter((path) => path.endsWith('.test.ts'));
  const byPrograms = reach(
    [...roots].filter((path) => !isTest(path)),
    edges,
  );
  const byAll = reach([...roots, ...tests], edges);
  return modules
    .filter(({ path }) => !byAll.has(path) || (/\/src\//.test(path) && !byPrograms.has(path)))
    .map(({ path }) => `${path}: nothing ${byAll.has(path) ? 'but a test ' : ''}reaches this file`);
}

function reach(from: string[], edges: Map<string, string[]>): Set<string> {
  const seen = new Set(from);
  for (const path of seen) for (const next of edges.get(path) ?? []) seen.add(next);
  return seen;
}

/** Exports that no other file imports. Users of a package import what its doors export. */
function findDeadExports(modules: Module[], packages: Packages): string[] {
  const taken = new Set(
    modules.flatMap(({ path, imports }) =>
      imports
        .filter(({ from }) => from !== path)
        .flatMap(({ from, names }) => names.map((name) => `${from} ${name}`)),
    ),
  );
  const doors = new Set(
    [...packages.values()].flatMap(({ home, exports }) =>
      Object.values(exports).flatMap((own) => {
        const source = (own as { 'curfew-source'?: string })['curfew-source'];
        return source === undefined || source.includes('*') ? [] : [posix.join(home, source)];
      }),
    ),
  );
  return modules
    .filter(({ path }) => !doors.has(path) && !isFound(path) && !taken.has(`${path} *`))
    .flatMap(({ path, exports }) =>
      exports
        .filter((name) => !taken.has(`${path} ${name}`))
        .map((name) => `${path}: exports ${name}, which no other file imports`),
    );
}
