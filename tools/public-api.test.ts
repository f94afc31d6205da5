import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { findDocFaults, publicModules } from './docs/public-api.ts';

test('every public name has a docstring, and every public function and class an example that compiles', () => {
  const modules = publicModules();
  expect(modules).toContain('packages/verifier/src/express.ts');
  expect(findDocFaults(modules)).toEqual([]);
});

test('a missing docstring, a missing example and an example that does not compile are faults', () => {
  const root = join(import.meta.dirname, '..');
  const cache = join(root, 'node_modules/.cache');
  mkdirSync(cache, { recursive: true });
  const planted = mkdtempSync(join(cache, 'planted-'));
  onTestFinished(() => rmSync(planted, { recursive: true }));
  writeFileSync(
    join(planted, 'a.ts'),
    [
      '/** Adds one.',
      ' * @example',
      " * import { isCut } from '@curfew/protocol/cuts';",
      ' * isCut(1);',
      ' */',
      'export function add(): void {}',
      '/** Without an example. */',
      'export class Sum {',
      '  total = 0;',
      '  /** Of another one. */',
      '  plus(): void {}',
      '  #hidden = 1;',
      '}',
      'export const one = 1;',
      '/** Options. */',
      'export interface Options {',
      '  /** How many. */',
      '  count: number;',
      '  size?: number;',
      '}',
      'function inner(): void {}',
      'export { inner as outer };',
    ].join('\n'),
  );
  const path = relative(root, join(planted, 'a.ts'));
  expect(findDocFaults([path])).toEqual(
    [
      'Sum: no example',
      'Sum.total: no docstring',
      'one: no docstring',
      'Options.size: no docstring',
      'outer: no docstring',
      'outer: no example',
      'add: its example does not compile: Expected 2 arguments, but got 1.',
    ].map((fault) => `${path}: ${fault}`),
  );
});
