/** The reader that evicts contract 001's keys, pass by pass, on a real Redis. */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openRedis, type RedisCopies } from '../../src/cache/redis.ts';
import { evictor } from '../../src/cluster/follow/evictor.ts';
import type { DurableWork } from '../../src/cluster/follow/log-reader.ts';
import { readConfig } from '../../src/config.ts';
import { endingOf } from '../../src/domain/event-ending.ts';
import type { Act } from '../../src/store/act.ts';
import type { Database } from '../../src/store/database.ts';
import type { EndingEvent } from '../../src/store/log/log-event.ts';
import { type CutTarget, cut } from '../../src/store/revoke-scope.ts';
import { revokeSessions } from '../../src/store/revoke-sessions.ts';
import { realSystem } from '../../src/system/real.ts';
import { until } from '../races/node.ts';
import { openHandClock, timeOf } from '../services/hand-clock.ts';
import { findRedis, type RedisServer, startRedis } from '../services/redis.ts';
import { backends, cheap, openStore, silent } from '../support.ts';

const SECONDS = 300;
/** The users of these tests: 1 and 2 used the shop, 3 another application. */
const USERS = [1, 2, 3];
const actOf = (at: Date): Act => ({
  at,
  actor: 'user:1',
  contract: 'v1',
  ipAddress: null,
  userAgent: '',
  requestId: null,
});

describe.skipIf(findRedis() === undefined)('the evictor', () => {
  let server: RedisServer;
  let direct: Redis;
  let redis: RedisCopies;
  let database: Database;
  let work: DurableWork;
  let deal: (events: EndingEvent[]) => Promise<void>;
  /** How often it has asked for a pass. */
  let wakes = 0;
  /** The statements about endings of before. */
  let looksBack = 0;
  const sids = new Map<number, string>();
  // Time stands: a busy machine's Redis is never late.
  const system = { ...realSystem(silent, cheap), ...timeOf(openHandClock()) };
  const query = async (text: string, values: unknown[] = []) => (await database.query({ text, values })).rows;

  const openWork = (on: RedisCopies): DurableWork => {
    const inner = database.query.bind(database);
    const counted: Database['query'] = (config) => {
      if (config.name === 'users_ended_since') looksBack++;
      return inner(config);
    };
    const config = {
      ...readConfig({}),
      cache: { keys: ['user:{user_id}', 'own*:{user_id}'], seconds: SECONDS },
    };
    const parts = {
      redis: on,
      database: { ...database, query: counted },
      system,
      config,
      notices: {} as never,
    };
    const opened = evictor.open(parts);
    if (!opened) throw new Error('the evictor has nothing to do');
    opened.wakes?.(() => wakes++);
    return opened;
  };
  const pass = (pages = async (): Promise<void> => undefined, on = work): Promise<void> | undefined =>
    on.pass?.(pages);

  beforeAll(async () => {
    server = await startRedis();
    direct = new Redis(server.url);
    redis = openRedis(server.url, system);
    database = await openStore(backends().at(-1) ?? 'embedded');
    await query(`insert into tenants (id, created_at) values ('acme', now())`);
    await query(
      `insert into users (email, created_at) select 'u' || i || '@example.com', now() from generate_series(1, 3) i`,
    );
    work = openWork(redis);
    const { pages } = work;
    if (!pages || !('deal' in pages)) throw new Error('it reads no pages');
    deal = (events) => pages.deal(events, database);
    await until('Redis is there', async () => redis.healthy);
    await pass();
  });
  afterAll(async () => {
    await redis.close();
    direct.disconnect();
    await database.close();
    await server.stop();
  });
  beforeEach(async () => {
    await query('truncate user_sessions, cuts, tokens, events');
    const rows = await query(
      `insert into user_sessions (id, user_id, client_id, device_id, contract, born, created_at, last_seen_at,
         idle_seconds, idle_expires_at, expires_at, tenant)
       select gen_random_uuid(), i, case i when 3 then 'desk' else 'shop' end, 'd', 'v1', nextval('positions'), now(),
         now(), 600, now() + interval '1 hour', now() + interval '1 day', 'acme'
       from generate_series(1, 3) i returning user_id, id`,
    );
    for (const { user_id: userId, id } of rows) sids.set(Number(userId), id);
    await fill();
  });

  /** Every user has the keys again, and so have strangers with a similar name. */
  const fill = async (): Promise<void> => {
    await direct.mset(
      ...USERS.flatMap((id) => [`user:${id}`, 'x', `own*:${id}`, 'x']),
      'owner:1',
      'x',
      'users:1',
      'x',
    );
  };
  /** The users whose keys are gone, of those of the tests. */
  const evicted = async (): Promise<number[]> => {
    const kept = new Set(await direct.keys('*'));
    expect([kept.has('owner:1'), kept.has('users:1')]).toEqual([true, true]);
    const gone = USERS.filter((id) => !kept.has(`user:${id}`));
    expect(USERS.filter((id) => !kept.has(`own*:${id}`))).toEqual(gone);
    return gone;
  };
  const end = async (target: CutTarget, secondsAgo = 0): Promise<EndingEvent> => {
    const at = new Date(Date.now() - secondsAgo * 1000);
    return (await cut(database, target, actOf(at), 'admin_logout')).event;
  };
  /** Redis comes back with old content. */
  const comeBack = async (): Promise<void> => {
    const before = wakes;
    await direct.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await until('Redis is back, and asks for a pass', async () => wakes > before);
  };

  const scopes: [CutTarget, number[]][] = [
    [{ scope: 'user', userId: 2 }, [2]],
    [{ scope: 'users', userIds: [1, 3] }, [1, 3]],
    [{ scope: 'device', userId: 1, deviceId: 'd' }, [1]],
    [{ scope: 'grant', userId: 1, clientId: 'shop' }, [1]],
    [{ scope: 'client', clientId: 'shop' }, [1, 2]],
    [{ scope: 'tenant', tenant: 'acme' }, [1, 2, 3]],
    [{ scope: 'everyone' }, [1, 2, 3]],
  ];
  describe.each(scopes.map(([target, users]) => [target.scope, target, users] as const))(
    '%s',
    (_, target, users) => {
      test('is evicted as an event of the log', async () => {
        await deal([await end(target)]);
        expect(await evicted()).toEqual(users);
      });

      test('is evicted again when Redis is back', async () => {
        await end(target);
        await comeBack();
        await pass();
        expect(await evicted()).toEqual(users);
      });
    },
  );

  test('a page evicts the users of all its events', async () => {
    const sessions = await revokeSessions(database, [sids.get(3) ?? ''], {}, actOf(new Date()), 'logout');
    if (!sessions) throw new Error('the session was over');
    await deal([await end({ scope: 'user', userId: 2 }), sessions.event]);
    expect(await evicted()).toEqual([2, 3]);
  });

  test('when Redis is back, an ending of everyone counts beside one of a user', async () => {
    await end({ scope: 'user', userId: 1 });
    await end({ scope: 'everyone' });
    await comeBack();
    await pass();
    expect(await evicted()).toEqual(USERS);
  });

  test('what ended before the life of a copy is not evicted again', async () => {
    await end({ scope: 'user', userId: 1 }, SECONDS + 70);
    await end({ scope: 'user', userId: 2 }, SECONDS + 50);
    await comeBack();
    await pass();
    expect(await evicted()).toEqual([2]);
  });

  test('a pass looks back once, until Redis returns or a pass fails', async () => {
    await end({ scope: 'user', userId: 1 });
    looksBack = 0;
    await pass();
    expect([looksBack, await evicted()]).toEqual([0, []]);
    await expect(pass(() => Promise.reject(new Error('the database is away')))).rejects.toThrow('is away');
    await pass();
    expect([looksBack, await evicted()]).toEqual([1, [1]]);
    await pass();
    expect(looksBack).toBe(1);
  });

  test('while Redis is away a pass does nothing, and fails nobody', async () => {
    const gone = openRedis(server.url, system);
    const waiting = openWork(gone);
    await gone.close();
    looksBack = 0;
    let pages = 0;
    await pass(async () => void pages++, waiting);
    expect([gone.healthy, looksBack, pages]).toEqual([false, 0, 0]);
    // It goes away during a pass: that is logged where it begins.
    const going = openRedis(server.url, system);
    const passing = openWork(going);
    await until('Redis is there', async () => going.healthy);
    await pass(async () => {
      await going.close();
      await going.get('user:1');
    }, passing);
    expect(going.healthy).toBe(false);
  });

  test('an ending that another node committed evicts at once what this one may have written since', async () => {
    const [own, others] = [await end({ scope: 'user', userId: 1 }), await end({ scope: 'user', userId: 2 })];
    work.took?.(endingOf(own), own, true);
    work.took?.(endingOf(others), others, false);
    await until('it is evicted', async () => (await evicted()).length > 0);
    expect(await evicted()).toEqual([2]);
  });
});
