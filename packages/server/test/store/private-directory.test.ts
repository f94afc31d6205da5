/** The data directory of the embedded database, and others on the machine. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DirectoryInUse, OpenDirectory } from '../../src/store/open-errors.ts';
import { closeToOthers } from '../../src/store/private-directory.ts';
import { freshData } from '../services/embedded-data.ts';
import { makeScratch, NODE_FLAGS } from '../services/scratch.ts';
import { until } from '../races/node.ts';
import { openQuickly } from '../services/open-embedded.ts';

/** Others' rights on a file or directory, by its path. */
function openToOthers(directory: string): string[] {
  const found = (lstatSync(directory).mode & 0o077) === 0 ? [] : [directory];
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) found.push(...openToOthers(path));
    else if ((lstatSync(path).mode & 0o077) !== 0) found.push(path);
  }
  return found;
}

async function withUmask<T>(umask: number, work: () => Promise<T>): Promise<T> {
  const before = process.umask(umask);
  try {
    return await work();
  } finally {
    process.umask(before);
  }
}

/** Another process begins to make the database and is killed in the middle. */
async function killWhileMaking(directory: string): Promise<void> {
  const program = `import { openQuickly } from ${JSON.stringify(new URL('../services/open-embedded.ts', import.meta.url))};
    await openQuickly(process.argv[1]);`;
  const flags = [...NODE_FLAGS, '--input-type=module', '--eval', program];
  const child = spawn(process.execPath, [...flags, directory], { stdio: 'ignore' });
  const ended = once(child, 'close');
  const begun = (): boolean =>
    readdirSync(directory).some((made) => existsSync(join(directory, made, 'PG_VERSION')));
  await until('the database has begun to be made', async () => begun() || child.exitCode !== null, 90_000);
  child.kill('SIGKILL');
  expect(await ended).toEqual([null, 'SIGKILL']);
}

describe('the content of the data directory is its user’s alone', () => {
  // Creating one takes seconds; later files are made by the same calls.
  test('from the start, in an open empty directory, with any umask; and a killed start does not block the next one', async () => {
    const directory = join(makeScratch('made'), 'data');
    await withUmask(0, async () => {
      mkdirSync(directory, { mode: 0o777 });
      await killWhileMaking(directory);
      const steps: string[] = [];
      const database = await openQuickly(directory, (what) => steps.push(what));
      expect(steps).toEqual([
        `creating the embedded database in ${directory}: this takes some seconds, once`,
      ]);
      expect(readdirSync(directory).filter((name) => name.startsWith('database'))).toEqual(['database']);
      expect(readdirSync(join(directory, 'database')).length).toBeGreaterThan(15);
      expect(openToOthers(directory)).toEqual([]);
      await database.query({ text: 'create table t (n int, much text)', values: [] });
      await database.query({
        text: `insert into t select n, repeat(md5(n::text), 100) from generate_series(1, 2000) n`,
        values: [],
      });
      await database.query({ text: 'create index on t (n)', values: [] });
      expect(openToOthers(directory)).toEqual([]);
      await database.close();
      expect(openToOthers(directory)).toEqual([]);
    });
  }, 180_000);

  test('also where an earlier version left it open', async () => {
    const directory = freshData('earlier');
    chmodSync(join(directory, 'database'), 0o755);
    chmodSync(join(directory, 'database', 'PG_VERSION'), 0o666);
    writeFileSync(join(directory, 'curfew.key'), 'a key', { mode: 0o644 });
    chmodSync(join(directory, 'curfew.key'), 0o644);
    const database = await openQuickly(directory);
    expect(openToOthers(directory)).toEqual([]);
    expect(statSync(join(directory, 'database', 'PG_VERSION')).mode & 0o777).toBe(0o600);
    await database.close();
  });
});

describe('a directory that is not its user’s alone is refused', () => {
  test('in every mode that admits others, until it is closed to them', async () => {
    const directory = freshData('open');
    for (const mode of [0o755, 0o750, 0o701, 0o704, 0o770, 0o777, 0o1777]) {
      chmodSync(directory, mode);
      const failure: unknown = await openQuickly(directory).catch((error: unknown) => error);
      expect([mode.toString(8), failure]).toEqual([mode.toString(8), expect.any(OpenDirectory)]);
      expect(String(failure)).toContain(
        `other users can read ${directory}, which holds signing keys and sessions. Restrict access: chmod 700 ${directory}`,
      );
    }
    chmodSync(directory, 0o700);
    await (await openQuickly(directory)).close();
  });

  test.runIf(process.getuid?.() === 0)('when another user owns it', () => {
    const directory = makeScratch('others');
    chownSync(directory, 12_345, 12_345);
    expect(() => closeToOthers(directory)).toThrow(
      `${directory} belongs to another user (12345), who could read and change all sessions.`,
    );
    chownSync(directory, 0, 0);
    expect(() => closeToOthers(directory)).not.toThrow();
  });
});

test('a second process is told which one has it', async () => {
  const directory = freshData('held');
  const database = await openQuickly(directory);
  const second = openQuickly(directory);
  await expect(second).rejects.toThrow(DirectoryInUse);
  await expect(second).rejects.toThrow(
    `another Curfew process, ${process.pid}, has ${directory} open. Stop it first`,
  );
  // As another container has left it: its process ids are not this one's.
  writeFileSync(join(directory, 'lock.pid'), `${process.pid} another-host\n`);
  await expect(openQuickly(directory)).rejects.toThrow(`another Curfew process has ${directory} open.`);
  writeFileSync(join(directory, 'lock.pid'), `4194304 ${'x'.repeat(10)}`);
  await expect(openQuickly(directory)).rejects.toThrow(`another Curfew process has ${directory} open.`);
  await database.close();
  expect(existsSync(join(directory, 'lock.pid'))).toBe(false);
});
