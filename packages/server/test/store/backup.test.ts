/** `curfew backup` and `curfew restore`: of a database during writes, and of changed or missing files. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { backUp, BackupError, type Open, restore as restoreWith } from '../../src/store/backup.ts';
import type { Database } from '../../src/store/database.ts';
import { freshData } from '../services/embedded-data.ts';
import { openQuickly } from '../services/open-embedded.ts';
import { makeFileScratch } from '../services/scratch.ts';
import { ISSUER, SERVICE_KEY } from '../support.ts';
import { type Node, openNode } from '../races/node.ts';

const NOW = new Date('2026-07-01T12:00:00Z');
const ACT = { at: NOW, actor: 'operator', contract: 'cli', ipAddress: null, userAgent: '', requestId: null };
const restore = (source: string, directory: string, opening: Open) =>
  restoreWith(source, directory, opening, null, ACT);
const open: Node[] = [];
afterEach(async () => {
  for (const node of open.splice(0)) await node.close();
});

async function serve(directory: string): Promise<Node> {
  const node = await openNode({ CURFEW_DATA: directory, CURFEW_EMBEDDED_FSYNC: '0', ISSUER });
  open.push(node);
  return node;
}

async function newUser(node: Node, email: string): Promise<number> {
  const { json } = await node.call<{ user: { id: number } }>('POST', '/v1/admin/users', {
    bearer: SERVICE_KEY,
    body: { email, password: 'a long enough password' },
  });
  return json.user.id;
}

async function logIn(node: Node, userId: number): Promise<string> {
  const { status, json, text } = await node.call<{ access_token: string }>('POST', '/v1/admin/sessions', {
    bearer: SERVICE_KEY,
    body: { user_id: userId },
  });
  if (status >= 300) throw new Error(text);
  return json.access_token;
}

async function logOut(node: Node, bearer: string): Promise<void> {
  expect((await node.call('POST', '/v1/logout', { bearer, body: {} })).status).toBe(200);
}

const check = async (node: Node, bearer: string): Promise<number> =>
  (await node.call('GET', '/v1/check', { bearer })).status;

describe('a backup of a database during writes', () => {
  test('has every login and logout that was answered before, and opens', async () => {
    const directory = freshData('backed-up');
    const node = await serve(directory);
    const userId = await newUser(node, 'ada@example.com');
    const alive: string[] = [];
    const over: string[] = [];
    for (let i = 0; i < 20; i++) {
      alive.push(await logIn(node, userId));
      over.push(await logIn(node, userId));
      await logOut(node, over.at(-1) as string);
    }
    let copied = 0;
    const later: string[] = [];
    const target = join(makeFileScratch('backup'), 'monday');
    const made = await backUp(directory, target, true, openQuickly, NOW, async (path) => {
      // The directory with the rows' files, half of them from before these writes, and half from after.
      if (!path.startsWith('base') || ++copied % 20 !== 0) return;
      later.push(await logIn(node, userId));
      await node.world.database.query({ text: 'vacuum user_sessions', values: [] });
    });
    expect(copied).toBeGreaterThan(200);
    expect(later.length).toBeGreaterThan(10);
    expect(made).toMatchObject({ made_at: NOW.toISOString(), has_key: true });
    expect(made.counts.users).toBe(1);
    expect(made.counts.sessions).toBeGreaterThanOrEqual(40);
    expect(statSync(target).mode & 0o077).toBe(0);

    const restored = join(makeFileScratch('restored'), 'data');
    expect(await restore(target, restored, openQuickly)).toEqual({ ...made, keys: [] });
    const other = await serve(restored);
    for (const bearer of alive) expect(await check(other, bearer)).toBe(200);
    for (const bearer of over) expect(await check(other, bearer)).toBe(401);
    // The restored database has a new epoch, so verifiers of the lost one begin anew.
    const epochs = [node, other].map(({ world }) => Number.parseInt(world.nodes.node.epoch ?? '', 10));
    expect(epochs[1]).toBe((epochs[0] as number) + 1);
    await logOut(other, alive[0] as string);
    expect(await check(other, alive[0] as string)).toBe(401);
    expect(await check(node, alive[0] as string)).toBe(200);
  }, 120_000);

  test('starts again when a checkpoint moved the start of recovery, and gives up in the end', async () => {
    const directory = freshData('backed-up');
    const node = await serve(directory);
    const scratch = makeFileScratch('backup');
    const moveOn = async (): Promise<void> => {
      await newUser(node, `${crypto.randomUUID()}@example.com`);
      await node.world.database.query({ text: 'checkpoint', values: [] });
    };
    let times = 0;
    await backUp(directory, join(scratch, 'one'), true, openQuickly, NOW, async (path) => {
      if (path === 'PG_VERSION' && ++times < 3) await moveOn();
    });
    expect(times).toBe(3);
    const never = backUp(directory, join(scratch, 'two'), true, openQuickly, NOW, async (path) => {
      if (path === 'PG_VERSION') await moveOn();
    });
    await expect(never).rejects.toThrow(/changed too much/);
    expect(existsSync(join(scratch, 'two'))).toBe(false);
  }, 120_000);
});

test('a failed restore leaves nothing that could be served, and can be repeated', async () => {
  const scratch = makeFileScratch('backup');
  const target = join(scratch, 'one');
  expect((await backUp(freshData('backed-up'), target, false, openQuickly, NOW)).has_key).toBe(false);
  // As a volume comes: open to others, and empty.
  const data = join(scratch, 'data');
  mkdirSync(data, { mode: 0o755 });
  const failing = async (directory: string): Promise<Database> => {
    const database = await openQuickly(directory);
    return { ...database, transaction: () => Promise.reject(new Error('the disk is full')) };
  };
  await expect(restore(target, data, failing)).rejects.toThrow('the disk is full');
  expect(readdirSync(data).filter((name) => name !== 'lock')).toEqual([]);
  // Another process may not start there meanwhile.
  const meanwhile = async (directory: string): Promise<Database> => {
    await expect(openQuickly(data)).rejects.toThrow(/has .* open/);
    return openQuickly(directory);
  };
  await restore(target, data, meanwhile);
  expect(statSync(data).mode & 0o077).toBe(0);
  expect(await serve(data)).toBeDefined();
}, 60_000);

describe('an incomplete or changed backup', () => {
  test('is refused, and nothing is written', async () => {
    const scratch = makeFileScratch('backup');
    const target = join(scratch, 'one');
    await backUp(freshData('backed-up'), target, true, openQuickly, NOW);
    const data = join(scratch, 'data');
    const refused = async (why: RegExp): Promise<void> => {
      const failure: unknown = await restore(target, data, openQuickly).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(BackupError);
      expect(String(failure)).toMatch(why);
      expect(existsSync(join(data, 'database'))).toBe(false);
    };
    const list = join(target, 'backup.json');
    const text = readFileSync(list, 'utf8');
    const control = join(target, 'database', 'global', 'pg_control');
    const bytes = readFileSync(control);

    writeFileSync(
      control,
      bytes.map((byte, i) => (i === 100 ? byte ^ 1 : byte)),
    );
    await refused(/pg_control differs from the file that was backed up/);
    rmSync(control);
    await refused(/pg_control differs from the file that was backed up/);
    writeFileSync(control, bytes);
    const { files, ...rest } = JSON.parse(text) as { files: Record<string, string> };
    const digest = files['database/PG_VERSION'] as string;
    for (const path of [
      '../evil',
      'database/../../evil',
      '/etc/evil',
      'database\\evil',
      'lock',
      'database//x',
    ]) {
      writeFileSync(list, JSON.stringify({ ...rest, files: { ...files, [path]: digest } }));
      await refused(/names a file that is not part of a database/);
    }
    for (const wrong of ['', '{', '[]', JSON.stringify({ ...rest, files, format: 2 })]) {
      writeFileSync(list, wrong);
      await refused(/cannot be read|is not the list/);
    }
    rmSync(list);
    await refused(/is not a backup/);
    writeFileSync(list, text);
    await restore(target, data, openQuickly);
    await expect(restore(target, data, openQuickly)).rejects.toThrow(/already contains a database/);
    await expect(serve(target)).rejects.toThrow(/is a backup/);
    await expect(backUp(data, target, true, openQuickly, NOW)).rejects.toThrow(/exists already/);
    await expect(backUp(join(scratch, 'none'), join(scratch, 'two'), true, openQuickly, NOW)).rejects.toThrow(
      /no database in/,
    );
  }, 60_000);
});

test('a key in the directory stays: another one than that of the backup stops the restoring', async () => {
  const scratch = makeFileScratch('backup');
  const target = join(scratch, 'one');
  const source = freshData('with-key');
  await (await serve(source)).close();
  open.length = 0;
  const { has_key: hasKey } = await backUp(source, target, true, openQuickly, NOW);
  expect(hasKey).toBe(true);
  const key = readFileSync(join(target, 'curfew.key'), 'utf8');
  const data = join(scratch, 'data');
  mkdirSync(data, { mode: 0o700 });
  writeFileSync(join(data, 'curfew.key'), 'another one', { mode: 0o600 });
  await expect(restore(target, data, openQuickly)).rejects.toThrow(/differs from the key of the backup/);
  expect([readFileSync(join(data, 'curfew.key'), 'utf8'), existsSync(join(data, 'database'))]).toEqual([
    'another one',
    false,
  ]);
  writeFileSync(join(data, 'curfew.key'), key);
  await restore(target, data, openQuickly);
  expect(readFileSync(join(data, 'curfew.key'), 'utf8')).toBe(key);
}, 60_000);

describe('a disk without enough room', () => {
  /** A file that takes no room, and would take this much when it is copied. */
  const huge = (file: string): void => {
    writeFileSync(file, '');
    truncateSync(file, 2 ** 42);
  };

  test('gets no backup, and no restored one', async () => {
    const data = freshData('huge');
    const scratch = makeFileScratch('huge');
    const target = join(scratch, 'monday');
    await backUp(data, target, false, openQuickly, NOW);
    const restored = join(scratch, 'restored');
    huge(join(target, 'not in the list'));
    const refused = /^not enough space in .*: 419\d{4} MB are needed, \d+ MB are free\.$/;
    await expect(restore(target, restored, openQuickly)).rejects.toThrow(refused);
    expect(readdirSync(restored)).toEqual(['lock']);
    huge(join(data, 'database', 'base', 'huge'));
    const second = join(scratch, 'tuesday');
    await expect(backUp(data, second, false, openQuickly, NOW)).rejects.toThrow(BackupError);
    await expect(backUp(data, second, false, openQuickly, NOW)).rejects.toThrow(refused);
    expect(existsSync(second)).toBe(false);
  });
});
