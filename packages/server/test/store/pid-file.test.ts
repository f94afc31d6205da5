/** PostgreSQL's own lock file, `postmaster.pid`, as a power cut may leave it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freshData } from '../services/embedded-data.ts';
import { openQuickly } from '../services/open-embedded.ts';

test.each([
  ['empty: it was made, and nothing of it was written', ''],
  ['of zeros: its length was written, and its content was not', '\0'.repeat(40)],
  ['with a part of a number, which is that of another process', '1'],
])('the embedded database opens where it is %s', async (_, content) => {
  const directory = freshData('pid-file');
  writeFileSync(join(directory, 'database', 'postmaster.pid'), content);
  const database = await openQuickly(directory);
  try {
    expect((await database.query({ text: 'select 1 as one', values: [] })).rows).toEqual([{ one: 1 }]);
  } finally {
    await database.close();
  }
});
