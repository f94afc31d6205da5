import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BUDGETS } from '../packages/server/test/services/budget.ts';
import { freshData } from '../packages/server/test/services/embedded-data.ts';
import { freshDatabase, hasPostgres } from '../packages/server/test/services/fresh-database.ts';
import { migrated } from '../packages/server/test/support.ts';
import { writtenPages } from './docs/pages.ts';

test('the pages that come out of the code are what the code would write: npm run docs', {
  timeout: 240_000,
}, async () => {
  const root = join(import.meta.dirname, '..');
  const pages = await writtenPages(
    hasPostgres()
      ? { DATABASE_URL: await freshDatabase(migrated) }
      : { CURFEW_DATA: freshData('docs'), CURFEW_EMBEDDED_FSYNC: '0' },
  );
  for (const [path, text] of Object.entries(pages))
    expect(readFileSync(join(root, path), 'utf8'), path).toBe(text);
});

test('the README has one picture and at most ten lines about the benchmark', () => {
  const readme = readFileSync(join(import.meta.dirname, '..', 'README.md'), 'utf8');
  const block = /<!-- bench:begin -->\n([\s\S]*?)\n<!-- bench:end -->/.exec(readme)?.[1] ?? '';
  const lines = block.split('\n').filter((line) => line !== '');
  expect(lines.length).toBeGreaterThan(1);
  expect(lines.length).toBeLessThanOrEqual(10);
  expect(block.match(/!\[/g)).toHaveLength(1);
});

test('each test file with a budget has tests that a long run takes', () => {
  for (const { files } of Object.values(BUDGETS))
    for (const file of files)
      expect(readFileSync(join(import.meta.dirname, '..', file), 'utf8'), file).toContain("tags: 'long'");
});

test('docs/testing.md says how large each campaign is', () => {
  const page = readFileSync(join(import.meta.dirname, '..', 'docs', 'testing.md'), 'utf8');
  const rows = [...page.matchAll(/^\| `([A-Z_]+)` \|[^|]+\| (\S+) \| (\S+) \| (.+) \|$/gm)];
  const said = rows.map(([, name, short, long, files]) => [name, short, long, files]);
  const size = (count: number): string => (Number.isFinite(count) ? String(count) : 'all');
  expect(said).toEqual(
    Object.entries(BUDGETS).map(([name, { files, short, long }]) => [
      name,
      size(short),
      size(long),
      files.map((file) => `\`${file}\``).join(', '),
    ]),
  );
});
