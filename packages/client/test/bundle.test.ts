import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { bundleClient } from '../../../tools/bundle-client.ts';

test('the bundle is under 6 kB compressed and loads no other file', async () => {
  const code = await bundleClient();
  expect(gzipSync(code, { level: 9 }).length).toBeLessThan(6000);
  expect(code).toMatch(/export\{\w+ as ProblemError,\w+ as createClient\};?\s*$/);
  expect(code).not.toMatch(/\bimport\b|\beval\b|\bFunction\(/);
  const manifest = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')) as object;
  // Types of the wire, without code, which the build puts into the package.
  expect(Object.keys(manifest).filter((key) => /dependencies/i.test(key))).toEqual(['devDependencies']);
});

test('the client imports only types of the protocol', () => {
  const source = join(import.meta.dirname, '../src');
  const imports = readdirSync(source).flatMap(
    (file) => readFileSync(join(source, file), 'utf8').match(/^import .*'@curfew\/.*$/gm) ?? [],
  );
  expect(imports.length).toBeGreaterThan(0);
  expect(imports.filter((line) => !line.startsWith('import type '))).toEqual([]);
});
