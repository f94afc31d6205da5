import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeScratch } from '../packages/server/test/services/scratch.ts';
import { writtenPages } from './docs/pages.ts';

test('the pages that come out of the code are what the code would write: npm run docs', {
  timeout: 240_000,
}, async () => {
  const root = join(import.meta.dirname, '..');
  const pages = await writtenPages(makeScratch('docs'));
  for (const [path, text] of Object.entries(pages))
    expect(readFileSync(join(root, path), 'utf8'), path).toBe(text);
});
