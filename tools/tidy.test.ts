import { describe, expect, test } from 'vitest';
import { EXCEPTIONS } from './tidy/exceptions.ts';
import { findImportFaults } from './tidy/imports.ts';
import { findNameFaults } from './tidy/names.ts';
import { findSizeFaults } from './tidy/sizes.ts';
import { readTree, type SourceFile } from './tidy/source.ts';
import { findBannedNames, findGlossaryFaults, findWordFaults } from './tidy/words.ts';
import { findFaults } from './tidy.ts';

test('this repository is tidy', () => {
  const tree = readTree();
  const programs = tree.filter(({ path }) => !path.endsWith('.md'));
  expect([
    ...findFaults(tree.filter(({ path }) => /^packages\/.*(?:\.tsx?|package\.json)$/.test(path))),
    ...findImportFaults(programs),
    ...findSizeFaults(tree, EXCEPTIONS),
    ...findNameFaults(tree),
    ...findWordFaults(tree),
    ...findBannedNames(tree),
    ...findGlossaryFaults(tree),
  ]).toEqual([]);
});

describe('the ladder', () => {
  const manifest = {
    path: 'packages/server/package.json',
    source: '{"dependencies":{"pg":"1"},"devDependencies":{"@curfew/protocol":"1","vite":"1"}}',
  };
  const server = (path: string, source: string): SourceFile => ({
    path: `packages/server/src/${path}`,
    source,
  });
  const protocol = (source: string): SourceFile => ({ path: 'packages/protocol/src/cuts.ts', source });

  test.each<[string, SourceFile[]]>([
    [
      'the ladder downwards',
      [server('http/a.ts', "import { b } from '../store/b.ts';"), server('store/b.ts', '')],
    ],
    ['a declared package', [server('store/a.ts', "import pg from 'pg';\nimport 'node:fs';")]],
    ['the protocol in the domain', [server('domain/a.ts', "import { x } from '@curfew/protocol/cuts';")]],
    ['the system below the store', [server('store/a.ts', "import type { Clock } from '../system/b.ts';")]],
    ['commented code', [server('domain/a.ts', "// import pg from 'pg';\n/** process.env, export * */")]],
    [
      'routes that look like comments',
      [server('http/a.ts', "app.get('/*', x);\nimport pg from 'pg';\ny('*/');")],
    ],
    ['the exit code', [server('store/a.ts', 'process.exitCode = 1;')]],
    ['a turn without time', [server('http/a.ts', 'setImmediate(next); new Date(ms);')]],
    ['a command that waits', [server('cli/a.ts', 'setTimeout(work, 1);')]],
    ['the source of time', [server('system/real.ts', 'performance.now()')]],
    ['the environment for the settings', [server('config.ts', 'export const port = process.env;')]],
  ])('accepts %s', (_, files) => {
    expect(findFaults([manifest, ...files])).toEqual([]);
  });

  test.each<[string, string, SourceFile[]]>([
    ['an import upwards', 'up the ladder', [server('store/a.ts', "import { b } from '../http/b.ts';")]],
    [
      'a type from above',
      'up the ladder',
      [server('domain/a.ts', "import type { B } from '../store/b.ts';")],
    ],
    ['HTTP in a command', 'knows nothing of http/', [server('cli/a.ts', "await import('../http/b.ts');")]],
    ['a late import upwards', 'up the ladder', [server('store/a.ts', "await import('../actions/b.ts');")]],
    ['an export upwards', 'up the ladder', [server('actions/a.ts', "export {\n  b,\n} from '../index.ts';")]],
    [
      'the system in the domain',
      'up the ladder',
      [server('domain/a.ts', "import { b } from '../system/b.ts';")],
    ],
    ...[
      'setTimeout(work, 1);',
      'const timer = globalThis.setInterval(work, 1);',
      "import { setTimeout as sleep } from 'node:timers/promises';",
      "import { setInterval } from 'node:timers';",
      'const clock = Date.now;',
      'performance.now()',
      'AbortSignal.timeout(5)',
      'new Date()',
    ].map((source): [string, string, SourceFile[]] => [
      `time of its own: ${source}`,
      'time comes from System',
      [server('http/a.ts', source)],
    ]),
    ['a room nobody planned', 'no place on the ladder', [server('services/a.ts', '')]],
    ['Node in the domain', 'knows only itself', [server('domain/a.ts', "import { x } from 'node:fs';")]],
    ['a package in the protocol', 'stands alone', [protocol("import { z } from 'zod';")]],
    [
      'a way out of the package',
      'outside its package',
      [protocol("import { a } from '../../server/src/index.ts';")],
    ],
    ['an undeclared package', 'does not name', [server('store/a.ts', "import { z } from 'zod/mini';")]],
    ['a package for development', 'does not name', [server('store/a.ts', "import { build } from 'vite';")]],
    ['an undeclared side effect', 'does not name', [server('store/a.ts', "import 'zod';")]],
    ['export *', '`export *`', [server('index.ts', "export * from './http/a.ts';")]],
    ['the environment', 'process.env', [server('http/a.ts', "const a = process.env['A'];")]],
    [
      'the environment by import',
      'process.env',
      [server('http/a.ts', "import { env } from 'node:process';")],
    ],
    ['an exit', 'process.exit', [server('store/a.ts', 'process.exit(1);')]],
  ])('finds %s', (_, expected, files) => {
    const faults = findFaults([manifest, ...files]);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(expected);
  });
});

const file = (path: string, ...lines: string[]): SourceFile => ({ path, source: `${lines.join('\n')}\n` });

describe('imports', () => {
  const root = file('package.json', '{"scripts":{"start":"node tools/main.ts"}}');
  const protocol = file(
    'packages/protocol/package.json',
    '{"name":"@curfew/protocol","exports":{"./*":{"curfew-source":"./src/*.ts"}}}',
  );
  const main = (...lines: string[]): SourceFile => file('tools/main.ts', ...lines);

  test.each<[string, SourceFile[]]>([
    [
      'an export that another file takes',
      [main("import { a } from './a.ts';"), file('tools/a.ts', 'export const a = 1;')],
    ],
    [
      'a type, a renamed one and one that is passed on',
      [
        main("import type { A } from './b.ts';", "import { c as d } from './b.ts';"),
        file('tools/b.ts', "export type { A } from './a.ts';", 'export function c(): void {}'),
        file('tools/a.ts', 'export interface A {}'),
      ],
    ],
    ['all of a file', [main("import * as a from './a.ts';"), file('tools/a.ts', 'export class B {}')]],
    ['a late import', [main("await import('./a.ts');"), file('tools/a.ts', 'export const b = 1;')]],
    [
      'a program that is started',
      [main("spawn(new URL('./child.ts', here));"), file('tools/child.ts', 'run();')],
    ],
    [
      'a package by its door',
      [
        protocol,
        main("import { a } from '@curfew/protocol/a';"),
        file('packages/protocol/src/a.ts', 'export const a = 1;'),
      ],
    ],
    [
      'what a test alone needs',
      [file('web/test/a.test.ts', "import './site.ts';"), file('web/test/site.ts', 'run();')],
    ],
  ])('accepts %s', (_, files) => {
    expect(findImportFaults([root, ...files])).toEqual([]);
  });

  test.each<[string, string, SourceFile[]]>([
    [
      'a cycle of three',
      'import cycle: tools/main.ts -> tools/a.ts -> tools/b.ts -> tools/main.ts',
      [
        main("import './a.ts';"),
        file('tools/a.ts', "import './b.ts';"),
        file('tools/b.ts', "import './main.ts';"),
      ],
    ],
    [
      'a cycle of types',
      'import cycle: tools/main.ts -> tools/a.ts -> tools/main.ts',
      [
        main("import { a } from './a.ts';", 'export type M = 1;'),
        file('tools/a.ts', "import type { M } from './main.ts';", 'export const a = 1;'),
      ],
    ],
    [
      'a dead file',
      'web/src/a.ts: nothing reaches this file',
      [main('run();'), file('web/src/a.ts', 'run();')],
    ],
    [
      'dead files that import each other',
      'tools/b.ts: nothing reaches this file',
      [main('run();'), file('tools/b.ts', "import './c.ts';"), file('tools/c.ts', 'run();')],
    ],
    [
      'a source that only a test needs',
      'web/src/a.ts: nothing but a test reaches this file',
      [file('web/test/a.test.ts', "import '../src/a.ts';"), file('web/src/a.ts', 'run();')],
    ],
    [
      'a file that only a comment names',
      'tools/a.ts: nothing',
      [main('// see a.ts'), file('tools/a.ts', 'run();')],
    ],
    [
      'a dead export',
      'tools/a.ts: exports b, which no other file imports',
      [
        main("import { a } from './a.ts';"),
        file('tools/a.ts', 'export const a = 1;', 'export async function b() {}'),
      ],
    ],
    [
      'a dead list of exports',
      'exports b, which',
      [main("import './a.ts';"), file('tools/a.ts', 'const a = 1;', 'export { a as b };')],
    ],
  ])('finds %s', (_, expected, files) => {
    expect(findImportFaults([root, ...files]).join('\n')).toContain(expected);
  });
});

describe('sizes', () => {
  const body = (count: number): string[] => Array.from({ length: count }, () => '  work();');

  test.each<[string, SourceFile]>([
    ['70 lines', file('a.ts', 'function a(): void {', ...body(68), '}')],
    ['a list of tests', file('a.test.ts', "describe('a', () => {", ...body(90), '});')],
    [
      'a list of tests for each of several',
      file('a.test.ts', 'describe.each(ALL)(', "  'with %s',", '  (name) => {', ...body(90), '  },', ');'),
    ],
    ['a class', file('a.ts', 'export class A {', ...body(90), '}')],
    ['400 lines', file('a.ts', ...body(400))],
    ['a long text', file('a.md', ...body(900))],
  ])('accepts %s', (_, one) => {
    expect(findSizeFaults([one], [])).toEqual([]);
  });

  test.each<[string, string, string[]]>([
    ['a function', 'a', ['export async function a(): Promise<void> {', ...body(69), '}']],
    [
      'a function with many parameters',
      'a',
      ['function a(', '  b: number,', '  c: number,', '): void {', ...body(66), '}'],
    ],
    ['an arrow', 'a', ['export const a = (b: number): void => {', ...body(69), '};']],
    ['a method', 'a', ['class A {', '  async a(b: { c: 1 }): Promise<void> {', ...body(69), '  }', '}']],
    ['a private method', '#a', ['class A {', '  #a(): void {', ...body(69), '  }', '}']],
    ['a test', "test('a', () => {", ["test('a', () => {", ...body(69), '});']],
    ['a component', 'A', ['export function A({ b }: { b: number }): Node {', ...body(69), '}']],
  ])('finds %s of 71 lines', (_, name, lines) => {
    expect(findSizeFaults([file('a.ts', ...lines)], [])).toEqual([
      `a.ts: ${name} has 71 lines, more than 70`,
    ]);
  });

  test('finds a file of 401 lines, an exception that grew, and one that is needed no longer', () => {
    const long = file('a.ts', ...body(401));
    expect(findSizeFaults([long], [])).toEqual(['a.ts has 401 lines, more than 400']);
    const exceptions = (lines: number) => [{ path: 'a.ts', name: null, lines }];
    expect(findSizeFaults([long], exceptions(401))).toEqual([]);
    expect(findSizeFaults([file('a.ts', ...body(402))], exceptions(401))).toEqual([
      'a.ts has 402 lines, more than 401',
    ]);
    expect(findSizeFaults([], exceptions(401))).toEqual(['a.ts is no exception any more: leave it out']);
  });
});

describe('names', () => {
  const protocol = (...lines: string[]): SourceFile => file('packages/protocol/src/a.ts', ...lines);

  test.each([
    ['a type', 'export class Ending {}'],
    ['a type that the other file has for itself', 'interface Ending {}'],
  ])('finds %s that another package declares under the same name', (_, line) => {
    const other = file('packages/server/src/store/b.ts', line);
    expect(findNameFaults([protocol('export interface Ending {}'), other])).toEqual([
      'Ending is declared in packages/protocol/src/a.ts and packages/server/src/store/b.ts',
    ]);
  });

  test('finds an exported function with the name of another, or of an endpoint', () => {
    const others = [
      file('packages/server/src/store/b.ts', 'export async function deleteUser() {}'),
      file('packages/server/src/http/admin/delete-users-id.ts', 'export const deleteUser = serveRow();'),
    ];
    for (const other of others)
      expect(findNameFaults([protocol('export const deleteUser = () => {};'), other])).toEqual([
        `deleteUser is declared in packages/protocol/src/a.ts and ${other.path}`,
      ]);
  });

  test('finds a file with the name of another, also in the plural', () => {
    expect(findNameFaults([protocol(), file('packages/server/src/store/as.ts')])).toEqual([
      'packages/protocol/src/a.ts and packages/server/src/store/as.ts have one name',
    ]);
  });

  test.each<[string, SourceFile[]]>([
    ['a type that another file passes on', [file('web/src/b.ts', "export type { Ending } from 'x';")]],
    ['a function that a file has for itself', [file('web/src/b.ts', 'function a() {}')]],
    [
      'an overloaded function',
      [file('packages/server/src/store/c.ts', 'export function b(): void;', 'export function b() {}')],
    ],
    [
      'the endpoints of two APIs',
      ['admin', 'v1'].map((api) =>
        file(`packages/server/src/http/${api}/get-users.ts`, 'export const getUsers = 1;'),
      ),
    ],
    [
      'the guards of two frameworks',
      ['hono', 'fetch'].map((one) => file(`packages/verifier/src/${one}.ts`, 'export function curfew() {}')),
    ],
    [
      'an endpoint like a file',
      [file('packages/server/src/http/a.ts'), file('packages/server/src/cli/a.ts')],
    ],
    ['a type of a test', [file('packages/server/test/b.ts', 'export interface Ending {}')]],
  ])('accepts %s', (_, files) => {
    expect(
      findNameFaults([protocol('export interface Ending {}', 'export function a() {}'), ...files]),
    ).toEqual([]);
  });
});

describe('words', () => {
  test.each(['http/utils.ts', 'web/shared/a.ts', 'bench/helpers.test.ts'])('finds the drawer %s', (path) => {
    expect(findWordFaults([file(path)])).toEqual([expect.stringContaining('does not say what is inside')]);
  });

  test('finds a banned word where it stands, and says what to write', () => {
    const banned = [{ word: /\bheed\b/i, instead: 'judge' }];
    expect(findWordFaults([file('docs/a.md', 'One.', 'Heed this.')], banned)).toEqual([
      'docs/a.md:2: says "Heed": write "judge"',
    ]);
    expect(findWordFaults([file('docs/a.md', 'Heedless.')], banned)).toEqual([]);
  });

  test.each([
    ['a file', file('packages/client/src/untold.ts'), 'untold'],
    ['an identifier', file('packages/client/src/a.ts', 'const answer = toldOf(it);'), 'toldOf'],
    ['a constant', file('packages/client/src/a.ts', 'const MS_TOLD = 1;'), 'MS_TOLD'],
  ])('finds %s named by a banned word', (_, one, name) => {
    expect(findBannedNames([one])).toEqual([expect.stringContaining(`is named ${name}: write`)]);
  });

  test.each([
    ['prose', file('packages/client/src/a.ts', '/* told */', "const a = 'told'; // told")],
    ['a word that has one in it', file('packages/client/src/a.ts', 'const wholesale = 1;')],
    ['a test', file('packages/client/test/a.test.ts', 'const told = 1;')],
  ])('accepts %s', (_, one) => {
    expect(findBannedNames([one])).toEqual([]);
  });

  describe('the glossary', () => {
    const table = (code: string, not: string): SourceFile =>
      file('ARCHITECTURE.md', `| **cut** | ends sessions by scope | ${code} | ${not} |`);
    const cut = file('packages/protocol/src/cuts.ts', 'export interface Cut {}');
    const session = (term: string): SourceFile =>
      file('packages/server/src/domain/session.ts', '/*', ' * Glossary.', ` *   ${term} ends`, ' */');
    const code = '`Cut`, `protocol/src/cuts.ts`';

    test.each<[string, SourceFile[], string[]]>([
      ['agrees with the code', [table(code, '`slice`'), cut, session('cut')], []],
      [
        'names a type that is not there',
        [table('`Slice`, `protocol/src/cuts.ts`', '`slice`'), cut],
        ['ARCHITECTURE.md: Slice is not in protocol/src/cuts.ts'],
      ],
      [
        'lacks a term of the domain',
        [table(code, '`slice`'), cut, session('lease')],
        [expect.stringContaining('lease is not in the glossary')],
      ],
      [
        'rules out a word that nothing bans',
        [table(code, '`slice`, `part`'), cut],
        ['ARCHITECTURE.md: nothing bans part'],
      ],
      [
        'lacks a banned word',
        [table(code, ''), cut],
        [expect.stringContaining('slice is not in the glossary')],
      ],
    ])('%s', (_, files, faults) => {
      expect(findGlossaryFaults(files, { slice: 'cut' })).toEqual(faults);
    });
  });
});
