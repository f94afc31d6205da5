import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/** The names of a package's run-time dependencies of any kind. */
function needs(manifestPath: string): string[] {
  const manifest = JSON.parse(readFileSync(manifestPath, 'utf8')) as Record<string, object | undefined>;
  return ['dependencies', 'optionalDependencies', 'bundledDependencies']
    .flatMap((kind) => Object.keys(manifest[kind] ?? {}))
    .toSorted();
}

const packages = join(import.meta.dirname, '../..');

test('installing the verifier adds jose and ws, and nothing else', () => {
  expect(needs(join(packages, 'verifier/package.json'))).toEqual(['jose', 'ws']);
  for (const name of ['jose', 'ws']) expect([name, needs(manifestOf(name))]).toEqual([name, []]);
});

/** Where npm has put it: at the root of the workspaces. */
const manifestOf = (name: string): string => join(packages, '../node_modules', name, 'package.json');
