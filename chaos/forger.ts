/**
 * A stranger with a Redis client and a database role that may only connect. It hears the messages of the nodes, answers their rings in the
 * name of other nodes before these can, repeats old messages, sends texts that are no messages, and rewrites cached copies. A process of
 * the chaos test; cast/cast.ts starts it.
 */
import { Redis } from 'ioredis';
import pg from 'pg';
import { Random } from '../simulator/random.ts';
import type { ForgerSettings } from './cast/messages.ts';
import { now, Recorder } from './recorder.ts';

const settings = JSON.parse(process.argv[2] ?? '') as ForgerSettings;
const recorder = new Recorder(settings.file, 'forger');
const random = new Random(settings.seed);
const pause = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));

const CHANNEL = 'curfew_nodes';
const KEPT = 300;
const MOST_WAITING = 50;
const AGAIN_MS = 250;
/** The time between two texts that answer nothing, and between two rounds through the cached copies. */
const CHATTER_MS = 25;
const COPIES_MS = 100;
const TELL_MS = 500;
const NONSENSE = [
  '{"changed":null,"from":"x"}',
  '{"ring":null,"from":null}',
  '{"__proto__":{"ring":1}}',
  ',"mac":""}',
  '['.repeat(7000),
];

const heard: string[] = [];
const nodes = new Set<string>();
const notifications: string[] = [];
const counts = new Map<string, number>();
const count = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);
let channel = CHANNEL;
let database: pg.Client | null = null;
let notifying = false;
let lastNumber = 1_000_000;
let ended = false;

const redis = new Redis(settings.redisUrl, { maxRetriesPerRequest: 0, enableOfflineQueue: false });
const listening = new Redis(settings.redisUrl, { autoResubscribe: false, maxRetriesPerRequest: 0 });
for (const one of [redis, listening]) one.on('error', () => undefined);
listening.on('ready', () => void listening.psubscribe(`${CHANNEL}*`).catch(() => undefined));
listening.on('pmessage', (_pattern, name: string, text: string) => {
  channel = name;
  overhear(text);
});

async function followDatabase(): Promise<void> {
  while (!ended) {
    const client = new pg.Client({ connectionString: settings.databaseUrl, connectionTimeoutMillis: 2000 });
    const lost = new Promise<void>((resolve) => {
      client.on('error', () => resolve());
      client.on('end', () => resolve());
    });
    try {
      await client.connect();
      client.on('notification', ({ payload }) => overhear(payload ?? ''));
      await client.query(`listen ${CHANNEL}`);
      database = client;
      await lost;
    } catch {
      client.end().catch(() => undefined);
    }
    database = null;
    await pause(AGAIN_MS);
  }
}

/** Sends it both ways, without waiting. A service that is down carries nothing. */
function say(what: string, text: string): void {
  count(what);
  redis.publish(channel, text).catch(() => undefined);
  if (notifications.push(text) > MOST_WAITING) notifications.shift();
  if (!notifying) void notify();
}

async function notify(): Promise<void> {
  notifying = true;
  for (let text = notifications.shift(); text !== undefined; text = notifications.shift())
    await database?.query('select pg_notify($1, $2)', [CHANNEL, text]).catch(() => undefined);
  notifying = false;
}

function overhear(text: string): void {
  if (text.includes('"mac":"forged"')) return;
  heard.push(text);
  if (heard.length > KEPT) heard.splice(random.below(KEPT), 1);
  const from = /"from":"([^"]+)"/.exec(text)?.[1];
  if (from === undefined || !/^[0-9a-f-]{36}$/.test(from)) return;
  nodes.add(from);
  if (nodes.size > 40) nodes.delete([...nodes][0] ?? '');
  const ring = /"ring":(\d+)/.exec(text)?.[1];
  if (ring === undefined) return;
  for (const other of nodes) {
    if (other === from) continue;
    const recorded = heard
      .filter((one) => one.includes(`"from":"${other}","to":"${from}","over":true`))
      .at(-1);
    const ack = { ack: Number(ring), from: other, to: from, over: true, acknowledged: 0, missing: 0 };
    // Above all numbers that were heard, or a node would refuse it as a repetition before it verifies the MAC.
    say('acknowledgements', JSON.stringify({ ...ack, n: ++lastNumber, mac: 'forged' }));
    if (recorded) say('acknowledgements', recorded.replace(/"ack":\d+/, `"ack":${ring}`));
  }
}

async function chatter(): Promise<void> {
  while (!ended) {
    await pause(CHATTER_MS);
    if (heard.length > 0) say('repetitions', random.pick(heard));
    if (random.chance(0.2)) say('nonsense', random.pick(NONSENSE));
  }
}

/** Exchanges the copies of users, and makes users administrators. */
async function rewriteCopies(): Promise<void> {
  while (!ended) {
    await pause(COPIES_MS);
    try {
      const keys = await redis.keys('user*');
      for (const key of keys) {
        const own = (await redis.get(key)) ?? '';
        const other = (await redis.get(random.pick(keys))) ?? '';
        const raised = own.replace('"role":"user"', '"role":"admin"');
        const unsigned = raised.replace(/,"mac":"[^"]*"/, '');
        count('copies');
        await redis.set(key, random.pick([other, raised, unsigned]), 'KEEPTTL');
      }
    } catch {
      // Redis is down.
    }
  }
}

setInterval(() => {
  for (const [what, times] of counts) recorder.write({ t: 'forged', what, count: times, at: now() });
  counts.clear();
}, TELL_MS);
process.on('message', () => {
  ended = true;
  recorder.close();
  process.exit(0);
});
void followDatabase();
void chatter();
void rewriteCopies();
process.send?.({ t: 'ready' });
