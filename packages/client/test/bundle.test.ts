import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { bundleClient } from '../../../tools/bundle-client.ts';

test('the whole of it is under 6 kB compressed, and nothing else comes with it', async () => {
  const code = await bundleClient();
  expect(gzipSync(code, { level: 9 }).length).toBeLessThan(6000);
  expect(code).toMatch(/export\{\w+ as ProblemError,\w+ as createClient\};?\s*$/);
  expect(code).not.toMatch(/\bimport\b|\beval\b|\bFunction\(/);
  const manifest = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')) as object;
  expect(Object.keys(manifest).filter((key) => /dependencies/i.test(key))).toEqual([]);
});
