/**
 * Contract 001 and Redis: the cached keys are gone when a logout has answered; and a Redis that is absent, refuses,
 * hangs, is flushed or comes back with old data holds up no logout and serves nothing of a session that is over.
 */
import { createServer, type Server } from 'node:net';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findRedis, type RedisServer, startRedis } from '../services/redis.ts';
import {
  type HandClock,
  openHandClock,
  passSteadily,
  passUntil,
  passWhile,
  timeOf,
} from '../services/hand-clock.ts';
import { withClient } from '../services/postgres.ts';
import { requireService } from '../services/require.ts';
import { freePort } from '../services/ports.ts';
import {
  backends,
  openAuthority,
  PASSWORD,
  recordingLog,
  SERVICE_KEY,
  type TestAuthority,
} from '../support.ts';

const present = requireService('Redis', findRedis(), 'install redis-server') !== undefined;
const KEYS = ['user:2', 'user_profile:2', 'user_workspace:2'];

async function until(what: () => Promise<boolean> | boolean, ms = 30_000): Promise<void> {
  const end = Date.now() + ms;
  while (!(await what())) {
    if (Date.now() > end) throw new Error('it did not come to that');
    await new Promise((wake) => setTimeout(wake, 20));
  }
}

async function logIn({ call }: TestAuthority): Promise<string> {
  const answer = await call('POST', '/auth/login', {
    body: { email: 'test@example.com', password: PASSWORD },
  });
  expect(answer.status).toBe(200);
  return answer.json.data.access_token;
}

const profile = ({ call }: TestAuthority, bearer: string) => call('GET', '/auth/profile', { bearer });

/** How long it waits for Redis: `actions/await-readers.test.ts`. */
async function logOutEnvelope({ call }: TestAuthority, bearer: string): Promise<void> {
  const answer = await call('POST', '/auth/logout', { bearer });
  expect(answer.text).toBe(
    '{"success":true,"message":"Logout successful","data":null,"code":null,"field":null}',
  );
}

/** Except those about settings, which name them. */
const warnings = (lines: string[]): string[] =>
  lines.filter((line) => /"level":"(warn|error)"/.test(line) && !line.includes('CURFEW_'));

describe.runIf(present)('Redis in trouble', () => {
  let redis: RedisServer;
  let direct: Redis;
  let on: TestAuthority;
  let log: ReturnType<typeof recordingLog>;
  /** The server's: for it a slow machine is no slow Redis. */
  let clock: HandClock;

  beforeEach(async () => {
    redis = await startRedis({ save: true });
    direct = new Redis(redis.url, { retryStrategy: () => 100 });
    direct.on('error', () => undefined);
    log = recordingLog();
    clock = openHandClock();
    on = await openAuthority(
      backends().at(-1) ?? 'embedded',
      { REDIS_URL: redis.url, CURFEW_KEY: 'l2zJt1m9R3sTqjJmY5e2wqQb6f3l0m1oXx1bS8yWc2s=' },
      { log: log.log, system: timeOf(clock) },
    );
    await until(async () => (await on.call('GET', '/readyz')).json.redis === 'up');
  });
  afterEach(async () => {
    await passWhile(clock, on.close());
    direct.disconnect();
    await redis.stop();
  });

  /** Copies that were not believed, by the metrics. */
  async function copiesRefused(): Promise<number> {
    const { text } = await on.call('GET', '/metrics', { bearer: SERVICE_KEY });
    return Number(/why="cached_copy"} (\d+)/.exec(text)?.[1]);
  }

  /** Reads that fill the caches, until the keys are there: an eviction of before may take them once more. */
  async function fill(bearer: string): Promise<void> {
    await until(async () => {
      await profile(on, bearer);
      await on.call('GET', '/auth/workspace', { bearer });
      await atRest();
      return (await direct.exists(...KEYS)) === KEYS.length;
    });
  }

  /** Nobody waits for Redis any more. */
  const atRest = (): Promise<void> => until(() => clock.patienceMs === Number.POSITIVE_INFINITY);

  /** The keys are gone, once the time has passed in which endings are gathered. */
  const gone = (): Promise<void> =>
    until(async () => {
      await atRest();
      clock.pass(200);
      return (await direct.exists(...KEYS)) === 0;
    });

  test('reads fill the three keys with a TTL, and a logout through 001 evicts them before it answers', async () => {
    const bearer = await logIn(on);
    await fill(bearer);
    for (const key of KEYS) expect(await direct.ttl(key)).toBeGreaterThan(0);
    await direct.set('user:20', 'somebody else');
    await logOutEnvelope(on, bearer);
    expect(await direct.exists(...KEYS)).toBe(0);
    expect(await direct.get('user:20')).toBe('somebody else');
    expect((await profile(on, bearer)).status).toBe(401);
  });

  test.each([
    ['003', async (l: string) => on.call('POST', '/api/v1/auth/logout', { bearer: l })],
    ['v1', async (l: string) => on.call('POST', '/v1/logout', { bearer: l, body: { scope: 'all' } })],
  ])('a logout through %s evicts them too', async (_name, logOut) => {
    const bearer = await logIn(on);
    await fill(bearer);
    expect((await logOut(bearer)).status).toBe(200);
    await gone();
  });

  test('a logout of everyone, or of an application, evicts its users', async () => {
    const bearer = await logIn(on);
    await fill(bearer);
    const admin = await on.call('POST', '/v1/login', {
      body: { email: 'admin@example.com', password: PASSWORD },
    });
    const end = (body: object) =>
      on.call('POST', '/v1/admin/logout', { bearer: admin.json.access_token, body });
    expect((await end({ scope: 'client', client_id: 'envelope' })).status).toBe(200);
    await gone();
    await fill(await logIn(on));
    expect((await end({ scope: 'everyone', confirm: 2 })).status).toBe(200);
    await gone();
  });

  test('killed: logouts continue with one warning, and the keys go when it is back', async () => {
    const [first, second] = [await logIn(on), await logIn(on)];
    const bearer = await logIn(on);
    await fill(bearer);
    expect([first, second]).toHaveLength(2);
    await redis.kill();
    await logOutEnvelope(on, bearer);
    expect((await profile(on, bearer)).status).toBe(401);
    await logOutEnvelope(on, await logIn(on));
    await logOutEnvelope(on, await logIn(on));
    expect(warnings(log.lines)).toHaveLength(1);
    expect(warnings(log.lines)[0]).toContain('Redis does not answer');

    await redis.restart();
    // It was saved with the keys in it.
    await gone();
  });

  test('hanging (accepts, never answers): logouts continue with one warning', async () => {
    const bearer = await logIn(on);
    await fill(bearer);
    redis.pause();
    try {
      await passWhile(clock, logOutEnvelope(on, bearer));
      for (let i = 0; i < 3; i++) await passWhile(clock, logOutEnvelope(on, await logIn(on)));
      expect(warnings(log.lines)).toHaveLength(1);
    } finally {
      redis.resume();
    }
    await gone();
  });

  test('flushed: nothing depends on it', async () => {
    const bearer = await logIn(on);
    await fill(bearer);
    await direct.flushall();
    expect((await profile(on, bearer)).json.data.email).toBe('test@example.com');
    await logOutEnvelope(on, bearer);
    await direct.flushall();
    expect((await profile(on, bearer)).status).toBe(401);
    expect(warnings(log.lines)).toEqual([]);
  });

  test('restored with old data: it is not served to a later session, and is evicted again', async () => {
    const bearer = await logIn(on);
    await fill(bearer);
    const old = await direct.get('user_profile:2');
    if (old === null) throw new Error('the profile was not cached');
    // The directory now, with the keys in it: an old snapshot would bring them back.
    const files = readdirSync(redis.dir, { recursive: true, encoding: 'utf8' })
      .map((name) => join(redis.dir, name))
      .filter((path) => statSync(path).isFile());
    const snapshot = files.map((path) => [path, readFileSync(path)] as const);
    await logOutEnvelope(on, bearer);
    expect(await direct.exists(...KEYS)).toBe(0);

    // First without any eviction: a copy of the session that is over, put there by hand, is not served to a new one.
    const next = await logIn(on);
    const { DATABASE_URL } = on.settings;
    if (DATABASE_URL !== undefined) {
      // A name that no version has.
      await withClient(DATABASE_URL, (client) => client.query(`update users set name = 'New' where id = 2`));
      await direct.set('user_profile:2', old);
      expect((await profile(on, next)).json.data.name).toBe('New');
    }

    await redis.kill();
    for (const [path, content] of snapshot) writeFileSync(path, content);
    await until(() => log.text().includes('Redis does not answer'));
    await redis.restart();
    await until(() => log.text().includes('Redis answers again'));
    await gone();
  });

  test('rewritten, exchanged or moved by others: the copies are not served, and are replaced', async () => {
    const bearer = await logIn(on);
    await fill(bearer);
    const own = (await direct.get('user_profile:2')) ?? '';
    const account = (await direct.get('user:2')) ?? '';
    const workspace = (await direct.get('user_workspace:2')) ?? '';
    const other = await on.call('POST', '/auth/login', {
      body: { email: 'admin@example.com', password: PASSWORD },
    });
    await profile(on, other.json.data.access_token);
    await until(async () => (await direct.exists('user_profile:1')) === 1);
    const others = (await direct.get('user_profile:1')) ?? '';
    const { mac, ...unsigned } = JSON.parse(own) as Record<string, unknown>;
    const raised = { ...unsigned, value: { ...(unsigned['value'] as object), role: 'admin' } };
    const ofTheFuture = { ...unsigned, born: 2 ** 52 };
    const forged = [
      JSON.stringify(raised),
      JSON.stringify({ ...raised, mac }),
      JSON.stringify({ ...raised, mac: '' }),
      JSON.stringify({ ...ofTheFuture, mac }),
      JSON.stringify(unsigned),
      own.replace('"version":1', '"version":2'),
      others,
      account,
      workspace,
      'null',
      '[]',
      '',
      '\u0000',
      `{"born":${'['.repeat(60_000)},"mac":"x"}`,
      'x'.repeat(10_000_000),
    ];
    // The copy that the last read made may come after the next text: each is tried until it was looked at.
    for (const text of forged) {
      const refused = await copiesRefused();
      await until(async () => {
        await atRest();
        for (const key of ['user:2', 'user_profile:2'])
          if (text !== account || key !== 'user:2') await direct.set(key, text);
        const { data } = (await profile(on, bearer)).json;
        expect(data, text.slice(0, 200)).toMatchObject({ id: 2, role: 'user' });
        return text === '' || (await copiesRefused()) > refused;
      });
    }
    // A value that is not a string is no failure of Redis, which stays in use.
    await direct.del('user_profile:2');
    await direct.lpush('user_profile:2', own);
    expect((await profile(on, bearer)).json.data).toMatchObject({ id: 2, role: 'user' });
    await until(async () => {
      await profile(on, bearer);
      return (await direct.type('user_profile:2')) === 'string';
    });
    expect(await direct.get('user_profile:2')).toBe(own);
    expect(warnings(log.lines).filter((line) => line.includes('WRONGTYPE'))).toEqual([]);
  });

  test('a copy from before a change of the user is not served after it', async () => {
    const bearer = await logIn(on);
    await fill(bearer);
    const old = await direct.get('user_profile:2');
    const admin = await on.call('POST', '/v1/login', {
      body: { email: 'admin@example.com', password: PASSWORD },
    });
    const change = await on.call('PATCH', '/v1/admin/users/2', {
      bearer: admin.json.access_token,
      body: { name: 'A New Name' },
    });
    expect(change.status).toBe(200);
    await direct.set('user_profile:2', old ?? '');
    expect((await profile(on, bearer)).json.data.name).toBe('A New Name');
  });
});

describe('without Redis from the start', () => {
  let silentServer: Server | undefined;
  afterEach(() => silentServer?.close());

  test('refusing connections: the server starts, logouts continue, with one warning', async () => {
    const log = recordingLog();
    const settings = { REDIS_URL: `redis://127.0.0.1:${await freePort()}` };
    const on = await openAuthority('embedded', settings, { log: log.log });
    const bearer = await logIn(on);
    expect((await profile(on, bearer)).status).toBe(200);
    await logOutEnvelope(on, bearer);
    await new Promise((wake) => setTimeout(wake, 1500));
    expect(warnings(log.lines)).toHaveLength(1);
    expect((await on.call('GET', '/readyz')).json).toMatchObject({ status: 'ready', redis: 'down' });
    await on.close();
  });

  test('accepting connections and never answering: the server starts, logouts continue, with one warning', async () => {
    silentServer = createServer(() => undefined);
    const port = await new Promise<number>((resolve) => {
      silentServer?.listen(0, '127.0.0.1', () => {
        const address = silentServer?.address();
        resolve(typeof address === 'object' && address ? address.port : 0);
      });
    });
    const log = recordingLog();
    const clock = openHandClock();
    const on = await openAuthority(
      'embedded',
      { REDIS_URL: `redis://127.0.0.1:${port}` },
      { log: log.log, system: timeOf(clock) },
    );
    const bearer = await logIn(on);
    await logOutEnvelope(on, bearer);
    await passUntil(clock, 'it warns', () => warnings(log.lines).length > 0);
    await passSteadily(clock, 3000);
    expect(warnings(log.lines)).toHaveLength(1);
    await on.close();
  });
});
