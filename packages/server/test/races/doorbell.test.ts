import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { type HandClock, openHandClock, passWhile, timeOf } from '../services/hand-clock.ts';
import { findRedis, type RedisServer, startRedis } from '../services/redis.ts';
import { withClient } from '../services/postgres.ts';
import { migrated, SERVICE_KEY } from '../support.ts';
import { type Node, openNode, until } from './node.ts';

/*
 * Nodes ring each other by Redis where there is one, and by the database where that does not reach everybody. The nodes' time is moved by
 * hand, and stands: no logout is answered because a lease has expired, and no ring is late because the machine is busy.
 */

/** A ring over Redis is given up after this. */
const RING_MS = 150;

describe.skipIf(!hasPostgres() || findRedis() === undefined)('the doorbell', () => {
  let redis: RedisServer;
  let databaseUrl: string;
  let clock: HandClock;
  const nodes: Node[] = [];
  const open = async (redisUrl?: string, url = databaseUrl): Promise<Node> => {
    const node = await openNode(
      { DATABASE_URL: url, ...(redisUrl === undefined ? {} : { REDIS_URL: redisUrl }) },
      timeOf(clock),
    );
    nodes.push(node);
    return node;
  };
  beforeEach(async () => {
    redis = await startRedis();
    clock = openHandClock();
    databaseUrl = await freshDatabase(migrated);
  });
  afterEach(async () => {
    redis.resume();
    for (const node of nodes.splice(0)) await passWhile(clock, node.close());
    await redis.stop();
  });

  let users = 0;
  async function logIn(node: Node): Promise<string> {
    const email = `bell-${++users}@example.com`;
    const made = await node.call('POST', '/v1/admin/users', { bearer: SERVICE_KEY, body: { email } });
    const opened = await node.call('POST', '/v1/admin/sessions', {
      bearer: SERVICE_KEY,
      body: { user_id: made.json.user.id },
    });
    return opened.json.access_token;
  }
  /** Checked at `there`, so that it remembers it, and logged out at `here`. */
  async function logOut(here: Node, there: Node): Promise<{ acknowledged: number; waited_out: number }> {
    const bearer = await logIn(here);
    expect((await there.call('GET', '/v1/check', { bearer })).status).toBe(200);
    const { json } = await here.call('POST', '/v1/logout', { bearer });
    expect((await there.call('GET', '/v1/check', { bearer })).status).toBe(401);
    return json;
  }
  /** How often the nodes ring by the database while the work goes on. */
  const rungByDatabase = (work: () => Promise<void>): Promise<number> =>
    withClient(databaseUrl, async (client) => {
      let rings = 0;
      client.on('notification', () => rings++);
      await client.query('listen curfew_nodes');
      await work();
      // Notifications come with the next answer at the latest.
      await client.query('select 1');
      return rings;
    });
  const logOutFive = async (here: Node, there: Node): Promise<void> => {
    for (let i = 0; i < 5; i++)
      expect(await logOut(i % 2 ? here : there, i % 2 ? there : here)).toMatchObject({
        acknowledged: 1,
        waited_out: 0,
      });
  };

  /** From when on they ring by Redis: both must have heard of each other, and be connected. */
  const ringByRedis = (here: Node, there: Node): Promise<void> =>
    until(
      'they ring by Redis',
      async () =>
        (await rungByDatabase(async () => {
          await logOut(here, there);
          await logOut(there, here);
        })) === 0,
    );

  /** Lets time pass only while nothing but a ring waits for it. */
  async function whileRingsFail<T>(answer: Promise<T>): Promise<T> {
    let over = false;
    const note = (): void => {
      over = true;
    };
    answer.then(note, note);
    await until('it is answered', async () => {
      if (clock.patienceMs <= RING_MS) clock.pass(RING_MS);
      return over;
    });
    return answer;
  }

  test('rings over Redis only, while that reaches all nodes', async () => {
    const [here, there] = [await open(redis.url), await open(redis.url)];
    await ringByRedis(here, there);
    expect(await rungByDatabase(() => logOutFive(here, there))).toBe(0);
  });

  test('rings over the database when a node has no Redis, or its Redis does not answer', async () => {
    const [here, there] = [await open(redis.url), await open()];
    expect(await rungByDatabase(() => logOutFive(here, there))).toBeGreaterThanOrEqual(5);
    expect(await logOut(here, there)).toMatchObject({ acknowledged: 1, waited_out: 0 });
  });

  test('of another database on the same Redis reaches no node here', async () => {
    const [here, there] = [await open(redis.url), await open()];
    const elsewhere = await freshDatabase(migrated);
    const strangers = [await open(redis.url, elsewhere), await open(redis.url, elsewhere)] as const;
    // One of two nodes listens to Redis here. If the strangers counted, nobody would ring over the database.
    expect(await rungByDatabase(() => logOutFive(here, there))).toBeGreaterThanOrEqual(5);
    await logOutFive(...strangers);
    // A node that heard a ring would answer it.
    const heard: string[] = [];
    const listening = new Redis(redis.url);
    await listening.psubscribe('*');
    listening.on('pmessage', (_pattern, _channel, text: string) => heard.push(text));
    await logOutFive(...strangers);
    listening.disconnect();
    const ids = strangers.map(({ world }) => world.nodes.node.id);
    // Not every message is one: those of before may still have hints for each other.
    const answers = heard.map((text) => JSON.parse(text)).filter((message) => 'ack' in message);
    expect(answers.length).toBeGreaterThan(0);
    expect(answers.filter(({ from }) => !ids.includes(from))).toEqual([]);
  });

  test('rings over the database when Redis is killed, hangs, and comes back', async () => {
    const [here, there] = [await open(redis.url), await open(redis.url)];
    await ringByRedis(here, there);
    redis.pause();
    expect(await whileRingsFail(logOut(here, there))).toMatchObject({ acknowledged: 1, waited_out: 0 });
    redis.resume();
    await redis.kill();
    expect(await logOut(there, here)).toMatchObject({ acknowledged: 1, waited_out: 0 });
    const said = () =>
      here.lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg.startsWith('nodes notify'));
    expect(said()).toMatchObject([
      {
        msg: 'nodes notify each other through the database',
        err: { message: expect.stringContaining('150 ms') },
      },
    ]);
    await redis.restart();
    // One that hung is not tried for a second.
    clock.pass(1000);
    await ringByRedis(here, there);
    // The next outage is said too.
    redis.pause();
    await whileRingsFail(logOut(here, there));
    expect(said()).toHaveLength(2);
  });
});
