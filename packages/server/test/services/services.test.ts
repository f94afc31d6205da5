import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, describe, expect, inject, test, vi } from 'vitest';
import { dropFileDatabases, freshDatabase, hasPostgres } from './fresh-database.ts';
import { findPostgres, type PostgresServer, startPostgres, withClient } from './postgres.ts';
import { findRedis, type RedisServer, startRedis } from './redis.ts';
import { openMovingAddress } from './moving-address.ts';
import { freePort, startOnFreePort, sweepPorts } from './ports.ts';
import { requireService } from './require.ts';
import { isAlive, scratchRoot, waitGone } from './scratch.ts';
import { PRIMARY_SETTINGS, startStandby, type StandbyServer } from './standby.ts';

test.runIf(existsSync('/proc/self/stat'))(
  'a killed child is gone when the system has no such process any more',
  async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    await once(child, 'spawn');
    const pid = child.pid as number;
    child.kill('SIGKILL');
    // It ends while we take notice of nothing: until we do, a signal finds it.
    while (readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0] !== 'Z');
    expect(isAlive(pid)).toBe(true);
    await waitGone([pid]);
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  },
);

describe('ports', () => {
  const claims = join(scratchRoot(), 'ports');

  test('a port is given once, also while nothing listens on it', async () => {
    const random = vi.spyOn(Math, 'random');
    const given = [await freePort()];
    // The same draw again.
    random.mockReturnValueOnce(random.mock.results.at(-1)?.value);
    given.push(await freePort());
    random.mockRestore();
    expect(new Set(given).size).toBe(2);
  });

  test('the ports of an ended process are given again, those of others are not', async () => {
    const own = String(await freePort());
    const child = spawn(process.execPath, ['-e', '']);
    const ended = once(child, 'exit');
    writeFileSync(join(claims, '1'), String(child.pid));
    await ended;
    sweepPorts();
    expect(readdirSync(claims)).toContain(own);
    expect(readdirSync(claims)).not.toContain('1');
  });

  test('a server whose port was taken meanwhile starts on another one', async () => {
    const stranger = createServer();
    const server = createServer();
    const asked: number[] = [];
    try {
      await startOnFreePort(async (port) => {
        asked.push(port);
        if (asked.length === 1) await once(stranger.listen(port, '127.0.0.1'), 'listening');
        await once(server.listen(port, '127.0.0.1'), 'listening');
      });
      expect(asked).toHaveLength(2);
      expect(server.address()).toMatchObject({ port: asked[1] });
    } finally {
      stranger.close();
      server.close();
    }
  });
});

const rows = async (url: string, sql: string): Promise<unknown[]> =>
  (await withClient(url, (client) => client.query(sql))).rows;

describe.skipIf(!hasPostgres())('shared PostgreSQL', () => {
  test('gives every caller its own database', async () => {
    const [one, other] = await Promise.all([freshDatabase(), freshDatabase()]);
    await rows(one, 'CREATE TABLE mark (n int)');
    expect(await rows(other, "SELECT to_regclass('mark') AS mark")).toEqual([{ mark: null }]);
  });

  test('prepares a template once, for any number of concurrent callers', async () => {
    let prepared = 0;
    const template = {
      name: 'services',
      prepare: async (url: string) => {
        prepared += 1;
        await rows(url, 'CREATE TABLE mark AS SELECT 7 AS n');
      },
    };
    const urls = await Promise.all([1, 2, 3].map(() => freshDatabase(template)));
    expect(new Set(urls).size).toBe(3);
    for (const url of urls) expect(await rows(url, 'SELECT n FROM mark')).toEqual([{ n: 7 }]);
    expect(prepared).toBe(1);
  });

  test('builds a template again after a failed attempt', async () => {
    const failing = { name: 'failing', prepare: () => Promise.reject(new Error('half-way')) };
    await expect(freshDatabase(failing)).rejects.toThrow('half-way');
    const url = await freshDatabase({ ...failing, prepare: () => Promise.resolve() });
    expect(await rows(url, 'SELECT 1 AS n')).toEqual([{ n: 1 }]);
  });

  test('drops the databases of a test file when it ends, except those in use', async () => {
    const [over, used] = await Promise.all([freshDatabase(), freshDatabase()]);
    await withClient(used, async (client) => {
      await dropFileDatabases();
      await expect(rows(over, 'SELECT 1')).rejects.toThrow('does not exist');
      expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
    });
  });
});

describe.skipIf(findPostgres() === undefined)('private PostgreSQL', () => {
  let server: PostgresServer | undefined;
  afterAll(() => server?.stop());

  test('syncs to disk, and its acknowledged commits survive kill and restart', async () => {
    server = await startPostgres({ durable: true });
    expect(await rows(server.url, 'SHOW fsync')).toEqual([{ fsync: 'on' }]);
    await rows(server.url, 'CREATE TABLE mark (n int)');
    await rows(server.url, 'INSERT INTO mark VALUES (1)');

    const { url } = server;
    const open = withClient(url, (client) => client.query('SELECT pg_sleep(60)')).catch(
      (error: Error) => error,
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    await server.kill();
    expect(await open).toBeInstanceOf(Error);
    await expect(rows(url, 'SELECT 1')).rejects.toThrow('ECONNREFUSED');

    await server.restart();
    expect(await rows(url, 'SELECT n FROM mark')).toEqual([{ n: 1 }]);
    await server.restart();
    expect(await rows(url, 'SELECT n FROM mark')).toEqual([{ n: 1 }]);
  });
});

describe.skipIf(findPostgres() === undefined)('a standby of a private PostgreSQL', () => {
  let primary: PostgresServer | undefined;
  let standby: StandbyServer | undefined;
  afterAll(async () => {
    await standby?.stop();
    await primary?.stop();
  });

  test('lags while its replay is paused, loses what it did not receive, and takes over at the same address', async () => {
    primary = await startPostgres({ settings: PRIMARY_SETTINGS });
    await rows(primary.url, 'CREATE TABLE mark (n int)');
    standby = await startStandby(primary);
    const address = await openMovingAddress(primary.port);
    const url = address.instead(primary.url);
    const count = 'SELECT count(*)::int AS n FROM mark';

    await rows(url, 'INSERT INTO mark VALUES (1)');
    await standby.caughtUp();
    expect(await rows(standby.url, count)).toEqual([{ n: 1 }]);
    await standby.pauseReplay();
    await rows(url, 'INSERT INTO mark VALUES (2)');
    expect(await rows(standby.url, count)).toEqual([{ n: 1 }]);
    await standby.resumeReplay();
    await standby.caughtUp();
    expect(await rows(standby.url, count)).toEqual([{ n: 2 }]);

    standby.cutOff();
    await rows(url, 'INSERT INTO mark VALUES (3)');
    await standby.promote();
    address.moveTo(standby.port);
    expect(await rows(url, count)).toEqual([{ n: 2 }]);
    await rows(url, 'INSERT INTO mark VALUES (4)');
    address.moveTo(null);
    await expect(rows(url, count)).rejects.toThrow();
    await address.close();
  });
});

describe.skipIf(inject('redisUrl') === undefined)('shared Redis', () => {
  test('keeps a value', async () => {
    const client = new Redis(inject('redisUrl') as string);
    await client.set('services-test', 'here', 'EX', 60);
    expect(await client.getdel('services-test')).toBe('here');
    client.disconnect();
  });
});

describe.skipIf(findRedis() === undefined)('private Redis', () => {
  let server: RedisServer | undefined;
  afterAll(() => server?.stop());

  test.each([
    { save: true, survives: 'here' },
    { save: false, survives: null },
  ])('save: $save', async ({ save, survives }) => {
    await server?.stop();
    server = await startRedis({ save });
    const client = new Redis(server.url, { retryStrategy: () => 20 });
    client.on('error', () => {});
    await client.set('mark', 'here');
    await server.kill();
    await server.restart();
    expect(await client.get('mark')).toBe(survives);
    client.disconnect();
  });
});

describe('requireService', () => {
  test('fails where nothing may be missing', () => {
    const before = process.env['REQUIRE_SERVICES'];
    process.env['REQUIRE_SERVICES'] = '1';
    try {
      expect(() => requireService('Abacus', undefined, 'buy one')).toThrow('Abacus not found: buy one');
      expect(requireService('Abacus', 'wood', 'buy one')).toBe('wood');
    } finally {
      if (before === undefined) delete process.env['REQUIRE_SERVICES'];
      else process.env['REQUIRE_SERVICES'] = before;
    }
  });
});
