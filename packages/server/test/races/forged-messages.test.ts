/* Others can write to the media of the nodes' messages: PUBLISH in Redis, NOTIFY with CONNECT alone. Nodes accept none of it. */
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type ServerChild, startServer } from '../crash/server-child.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { withClient } from '../services/postgres.ts';
import { findRedis, type RedisServer, startRedis } from '../services/redis.ts';
import { migrated, SERVICE_KEY } from '../support.ts';
import { type Node, openNode, until } from './node.ts';

const LEASE_MS = 1500;
const CHANNEL = 'curfew_nodes';
const WAYS = ['NOTIFY', 'Redis'] as const;
type Way = (typeof WAYS)[number];

/** Invalid messages, as a stranger may send them. */
const NONSENSE = [
  '',
  'null',
  '[]',
  '17',
  '"ring"',
  '{',
  '{"changed":null,"from":"x"}',
  '{"changed":[1],"from":"x"}',
  '{"changed":{"length":1e9},"from":"x"}',
  '{"ring":1}',
  '{"ring":1,"from":null}',
  '{"ring":"1","from":{}}',
  '{"ring":1e999,"from":"x"}',
  '{"ack":1,"from":"x","to":"y"}',
  '{"ack":null,"from":null,"to":null,"over":1,"acknowledged":"","missing":-1}',
  '{"__proto__":{"ring":1,"from":"x"}}',
  '{"constructor":{"prototype":{"ring":1}},"ring":{"valueOf":1}}',
  '{"ring":1,"from":"x","mac":"é"}',
  '{"ring":1,"from":"x","mac":""}',
  ',"mac":"',
  '"}',
  `${'['.repeat(3900)}${']'.repeat(3900)}`,
  `{"a":${'['.repeat(3900)},"mac":"x"}`,
];

describe.skipIf(!hasPostgres() || findRedis() === undefined)('a stranger who can PUBLISH and NOTIFY', () => {
  let redis: RedisServer;
  let url: string;
  let here: Node;
  let there: ServerChild;
  let thereId: string;
  let stranger: { database: pg.Client; redis: Redis; listening: Redis };
  const role = `stranger_${process.pid}`;
  /** Called with each text that the stranger hears, on either way. */
  let onText: (text: string) => void = () => undefined;

  const say = async (way: Way, text: string): Promise<void> => {
    if (way === 'NOTIFY') await stranger.database.query('select pg_notify($1, $2)', [CHANNEL, text]);
    else for (const channel of await channels()) await stranger.redis.publish(channel, text);
  };
  const channels = async (): Promise<string[]> =>
    (await stranger.redis.pubsub('CHANNELS', `${CHANNEL}*`)) as string[];

  beforeAll(async () => {
    redis = await startRedis();
    url = await freshDatabase(migrated);
    await withClient(url, (client) => client.query(`create role ${role} login`));
    const settings = { DATABASE_URL: url, REDIS_URL: redis.url, CURFEW_LEASE_MS: String(LEASE_MS) };
    here = await openNode(settings);
    there = await startServer(settings);
    const { rows } = await here.world.database.query({
      text: 'select id from nodes where id <> $1',
      values: [here.world.nodes.node.id],
    });
    thereId = (rows as { id: string }[])[0]?.id ?? '';
    const strangers = new URL(url);
    strangers.username = role;
    const database = new pg.Client({ connectionString: strangers.href });
    await database.connect();
    database.on('notification', ({ payload }) => onText(payload ?? ''));
    await database.query(`listen ${CHANNEL}`);
    const listening = new Redis(redis.url);
    await listening.psubscribe(`${CHANNEL}*`);
    listening.on('pmessage', (_pattern, _channel, text: string) => onText(text));
    stranger = { database, redis: new Redis(redis.url), listening };
    await until('they hear each other by Redis', async () => (await logOut()).acknowledged === 1);
  });
  afterAll(async () => {
    await stranger?.database.end();
    stranger?.redis.disconnect();
    stranger?.listening.disconnect();
    there?.signal('SIGKILL');
    await there?.ended;
    await here?.close();
    await redis?.stop();
    await withClient(url, (client) => client.query(`drop role ${role}`));
  });

  let users = 0;
  async function logIn(): Promise<string> {
    const email = `forged-${++users}@example.com`;
    const made = await here.call('POST', '/v1/admin/users', { bearer: SERVICE_KEY, body: { email } });
    const opened = await here.call('POST', '/v1/admin/sessions', {
      bearer: SERVICE_KEY,
      body: { user_id: made.json.user.id },
    });
    const bearer: string = opened.json.access_token;
    // The second of them is answered from its memory.
    for (let i = 0; i < 2; i++) expect((await there.call('GET', '/v1/check', { bearer })).status).toBe(200);
    return bearer;
  }
  type Out = { confirmed: boolean; ms: number; acknowledged: number; waited_out: number };
  async function logOut(bearer?: string): Promise<Out> {
    const text = bearer ?? (await logIn());
    return (await here.call<Out>('POST', '/v1/logout', { bearer: text })).json;
  }
  /** A genuine acknowledgement, as it went over the wire. */
  async function record(): Promise<string> {
    let recorded = '';
    onText = (text) => {
      if (text.includes('"ack"') && text.includes('"over":true')) recorded = text;
    };
    await logOut();
    await until('an acknowledgement is heard', async () => recorded !== '');
    return recorded;
  }

  test.each(WAYS)('confirms nothing with a forged acknowledgement by %s', async (way) => {
    const genuine = await record();
    const bearer = await logIn();
    const me = here.world.nodes.node.id;
    let said = Promise.resolve();
    let rings = 0;
    onText = (text) => {
      const ring = /"ring":(\d+)/.exec(text)?.[1];
      if (ring === undefined) return;
      const ack = { ack: Number(ring), from: thereId, to: me, over: true, acknowledged: 0, missing: 0 };
      // A number that no message had yet.
      const n = 1e6 + ++rings;
      const fresh = genuine.replace(/"n":\d+/, `"n":${n}`);
      const forgeries = [
        JSON.stringify(ack),
        JSON.stringify({ ...ack, ack: 2 ** 53 - 1 }),
        JSON.stringify({ ...ack, n, mac: 'x'.repeat(43) }),
        genuine,
        fresh.replace(/"ack":\d+/, `"ack":${ring}`),
        fresh.replace(/"mac"/, `"ack":${ring},"mac"`),
        genuine.replace(/"ack":\d+/, `"ack":${ring}`),
        text.replace(/"ring":\d+/, JSON.stringify(ack).slice(1, -1)),
      ];
      for (const forged of forgeries) said = said.then(() => say(way, forged));
    };
    there.signal('SIGSTOP');
    try {
      const { confirmed, ms, acknowledged, waited_out } = await logOut(bearer);
      onText = () => undefined;
      await said;
      expect(rings).toBeGreaterThan(0);
      expect({ confirmed, acknowledged, waited_out }).toEqual({
        confirmed: true,
        acknowledged: 0,
        waited_out: 1,
      });
      expect(ms).toBeGreaterThanOrEqual(LEASE_MS);
    } finally {
      there.signal('SIGCONT');
    }
    expect((await there.call('GET', '/v1/check', { bearer })).status).toBe(401);
  });

  test.each(WAYS)(
    'can end no node with a text by %s, nor keep it from hearing the next ring',
    async (way) => {
      for (const text of NONSENSE) await say(way, text);
      if (way === 'Redis') await say(way, 'x'.repeat(20_000_000));
      expect(await logOut()).toMatchObject({ acknowledged: 1, waited_out: 0 });
    },
  );

  test.each(WAYS)('is only counted with a flood by %s of forged and repeated rings', async (way) => {
    let genuine = '';
    onText = (text) => {
      if (text.includes('"ring"')) genuine = text;
    };
    await until('a ring of the other node is heard', async () => {
      const bearer = await logIn();
      await there.call('POST', '/v1/logout', { bearer });
      return genuine.includes(thereId);
    });
    onText = () => undefined;
    const before = here.world.nodes.refused();
    // By the other way than it came it is heard once.
    await say(way, genuine);
    const reached = async (count: number): Promise<void> =>
      until('all are counted', async () => {
        const { unauthenticated, repeated } = here.world.nodes.refused();
        return unauthenticated + repeated - before.unauthenticated - before.repeated >= count;
      });
    const heard = vi.spyOn(here.world.nodes.node, 'heard');
    here.lines.length = 0;
    const forged = JSON.stringify({ ring: 1e6, from: thereId });
    for (let i = 0; i < 500; i++) {
      await say(way, genuine);
      await say(way, forged);
    }
    await reached(1000);
    const rings = heard.mock.calls.filter(([message]) => 'ring' in (message as object));
    expect(rings.length).toBeLessThanOrEqual(1);
    expect(
      here.lines.filter((line) => line.includes('messages on the node channel are ignored')).length,
    ).toBeLessThanOrEqual(1);
    heard.mockRestore();
  });
});
