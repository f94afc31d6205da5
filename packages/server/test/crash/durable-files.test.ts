/** What is on the disk after a power cut that takes all that it may. */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, inject, onTestFinished, test } from 'vitest';
import { renameDurably, syncAll, writeDurably } from '../../src/store/durable-files.ts';
import { openEmbedded } from '../../src/store/embedded.ts';
import { freshData } from '../services/embedded-data.ts';
import { openQuickly } from '../services/open-embedded.ts';
import { makeFileScratch } from '../services/scratch.ts';
import { RecordedDisk } from './recorded-disk.ts';

/** Keeps nothing that was not synced. */
const KEEPS_NOTHING = (): number => 0;

function recorded(root: string, found: string | null): RecordedDisk {
  const disk = new RecordedDisk(root, found);
  onTestFinished(() => disk.stop());
  return disk;
}

/** Paths and texts of all files below a directory. */
function textsIn(directory: string): Record<string, string> {
  const paths = readdirSync(directory, { recursive: true, encoding: 'utf8' }).toSorted();
  return Object.fromEntries(
    paths
      .filter((path) => statSync(join(directory, path)).isFile())
      .map((path) => [path, readFileSync(join(directory, path), 'utf8')]),
  );
}

test('everything below a synced directory is on the disk', async () => {
  const scratch = makeFileScratch('synced');
  const [root, after] = [join(scratch, 'root'), join(scratch, 'after')];
  mkdirSync(root);
  const disk = recorded(root, null);
  mkdirSync(join(root, 'deep'));
  mkdirSync(join(root, 'deep', 'deeper'));
  for (const below of ['', 'deep', 'deep/deeper'])
    for (let i = 0; i < 40; i++) writeFileSync(join(root, below, `file ${i}`), `${below} ${i}`);
  const written = textsIn(root);
  expect(Object.keys(written)).toHaveLength(120);
  disk.buildAfterCut(after, KEEPS_NOTHING);
  expect(textsIn(after)).toEqual({});
  await syncAll(root);
  disk.buildAfterCut(after, KEEPS_NOTHING);
  expect(textsIn(after)).toEqual(written);
});

test('a file that is written durably is whole or as it was before, at each moment, and whole when that is done', () => {
  const scratch = makeFileScratch('written');
  const [root, after] = [join(scratch, 'root'), join(scratch, 'after')];
  mkdirSync(root);
  const disk = recorded(root, null);
  const file = join(root, 'note');
  const texts = ['the first text', 'another text'.repeat(200)];
  let seed = 1;
  const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  const onDisk = (how: () => number): string | undefined => {
    rmSync(after, { recursive: true, force: true });
    disk.buildAfterCut(after, how);
    return textsIn(after)['note'];
  };
  for (const [n, text] of texts.entries()) {
    let moments = 0;
    disk.onOperation = () => {
      for (let cut = 0; cut < 20; cut++) expect([texts[n - 1], text]).toContain(onDisk(random));
      moments++;
    };
    writeDurably(file, text);
    disk.onOperation = () => undefined;
    expect(moments).toBeGreaterThan(2);
    expect(onDisk(KEEPS_NOTHING)).toBe(text);
  }
  renameDurably(file, join(root, 'renamed'));
  rmSync(after, { recursive: true });
  disk.buildAfterCut(after, KEEPS_NOTHING);
  expect(textsIn(after)).toEqual({ renamed: texts[1] });
});

test('the names of new files are on the disk when a transaction that made them is committed', async () => {
  const directory = freshData('new-tables');
  const after = join(makeFileScratch('after'), 'data');
  const disk = recorded(directory, inject('embeddedData'));
  const ask = async (database: Awaited<ReturnType<typeof openEmbedded>>, text: string): Promise<unknown> =>
    (await database.query({ text, values: [] })).rows;
  const database = await openEmbedded(directory, {
    onFailure: (failure) => {
      throw failure;
    },
  });
  try {
    await ask(database, 'create table made as select n from generate_series(1, 1000) as n');
    // A checkpoint writes the rows to the table's own file, and forgets how to make it again.
    await ask(database, 'checkpoint');
    disk.buildAfterCut(after, KEEPS_NOTHING);
  } finally {
    await database.close();
  }
  const opened = await openQuickly(after);
  try {
    expect(await ask(opened, 'select sum(n)::int as sum from made')).toEqual([{ sum: 500_500 }]);
  } finally {
    await opened.close();
  }
});
