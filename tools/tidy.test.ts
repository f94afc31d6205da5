import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findFaults, type SourceFile } from './tidy.ts';

test('this repository is tidy', () => {
  const root = join(import.meta.dirname, '..');
  const list = execFileSync(
    'git',
    ['ls-files', '-z', '--cached', '--others', '--exclude-standard', 'packages'],
    {
      cwd: root,
      encoding: 'utf8',
    },
  );
  const files = list
    .split('\0')
    .filter((path) => /\.tsx?$|package\.json$/.test(path) && existsSync(join(root, path)))
    .map((path) => ({ path, source: readFileSync(join(root, path), 'utf8') }));
  expect(findFaults(files)).toEqual([]);
});

describe('the checker', () => {
  const manifest = {
    path: 'packages/server/package.json',
    source: '{"dependencies":{"pg":"1","@curfew/protocol":"1"}}',
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
    ['an undeclared side effect', 'does not name', [server('store/a.ts', "import 'zod';")]],
    ['a vague file', 'does not say', [server('http/utils.ts', '')]],
    ['a vague folder', 'does not say', [server('http/shared/a.ts', '')]],
    ['export *', '`export *`', [server('index.ts', "export * from './http/a.ts';")]],
    ['the environment', 'process.env', [server('http/a.ts', "const a = process.env['A'];")]],
    [
      'the environment by import',
      'process.env',
      [server('http/a.ts', "import { env } from 'node:process';")],
    ],
    ['an exit', 'process.exit', [server('store/a.ts', 'process.exit(1);')]],
    [
      'a cycle of three',
      'import cycle: packages/server/src/http/a.ts -> packages/server/src/http/b.ts -> packages/server/src/http/c.ts -> packages/server/src/http/a.ts',
      [
        server('http/a.ts', "import { b } from './b.ts';"),
        server('http/b.ts', "import { c } from './c.ts';"),
        server('http/c.ts', "import { a } from './a.ts';"),
      ],
    ],
  ])('finds %s', (_, expected, files) => {
    const faults = findFaults([manifest, ...files]);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(expected);
  });
});
