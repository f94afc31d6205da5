import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { findRedis, type RedisServer, startRedis } from '../services/redis.ts';
import { withClient } from '../services/postgres.ts';
import { migrated, SERVICE_KEY } from '../support.ts';
import { type Node, openNode, until } from './node.ts';

/* Nodes ring each other by Redis where there is one, and by the database where that does not reach everybody. */

const LEASE_MS = 2000;

describe.skipIf(!hasPostgres() || findRedis() === undefined)('the doorbell', () => {
  let redis: RedisServer;
  let databaseUrl: string;
  const nodes: Node[] = [];
  const open = async (redisUrl?: string, url = databaseUrl): Promise<Node> => {
    const node = await openNode({
      DATABASE_URL: url,
      CURFEW_LEASE_MS: String(LEASE_MS),
      ...(redisUrl === undefined ? {} : { REDIS_URL: redisUrl }),
    });
    nodes.push(node);
    return node;
  };
  beforeEach(async () => {
    redis = await startRedis();
    databaseUrl = await freshDatabase(migrated);
  });
  afterEach(async () => {
    redis.resume();
    for (const node of nodes.splice(0)) await node.close();
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
  async function logOut(
    here: Node,
    there: Node,
  ): Promise<{ acknowledged: number; waited_out: number; ms: number }> {
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

  test('rings over Redis only, while that reaches all nodes', async () => {
    const [here, there] = [await open(redis.url), await open(redis.url)];
    await until('each hears the other', async () => (await logOut(here, there)).ms < LEASE_MS / 2);
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
    await until('the strangers hear each other', async () => (await logOut(...strangers)).ms < LEASE_MS / 2);
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
    expect(await logOut(here, there)).toMatchObject({ acknowledged: 1, waited_out: 0 });
    redis.pause();
    expect(await logOut(here, there)).toMatchObject({ acknowledged: 1, waited_out: 0 });
    redis.resume();
    await redis.kill();
    expect(await logOut(there, here)).toMatchObject({ acknowledged: 1, waited_out: 0 });
    await redis.restart();
    await until('it rings by Redis again', async () => (await logOut(here, there)).acknowledged === 1);
  });
});
