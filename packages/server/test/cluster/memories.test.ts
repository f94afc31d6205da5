/** The memories of sessions, keys and clients: what they forget, and how much they hold. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KeyMemory } from '../../src/cluster/memory/key-memory.ts';
import { KnownClients } from '../../src/cluster/memory/known-clients.ts';
import { REPORTED_CAPACITY, SessionMemory } from '../../src/cluster/memory/session-memory.ts';
import { readConfig } from '../../src/config.ts';
import { newKeyText } from '../../src/domain/api-key.ts';
import { seedsOf } from '../../src/domain/client-terms.ts';
import type { Database } from '../../src/store/database.ts';
import { realSystem } from '../../src/system/real.ts';
import { liveSession } from '../races/node.ts';
import { openHandClock, timeOf } from '../services/hand-clock.ts';
import { cheap, openStore, silent } from '../support.ts';

const clock = openHandClock();
const system = { ...realSystem(silent, cheap), ...timeOf(clock) };
let database: Database;
beforeAll(async () => {
  database = await openStore('embedded');
});
afterAll(() => database.close());
const openMemory = (): SessionMemory =>
  new SessionMemory(system, 10, { judge: () => 'unsure', ends: () => false });

test('a credential counts as dead until everything is forgotten, and by no answer from before that', () => {
  const memory = openMemory();
  const askedMs = clock.monotonicMs;
  memory.bury('dead', askedMs);
  expect([memory.buried, memory.over('dead')]).toEqual([1, { refusal: undefined }]);
  clock.pass(5);
  memory.forget();
  expect([memory.buried, memory.over('dead')]).toEqual([0, undefined]);
  // The database has answered late, and may have gone back since.
  memory.bury('dead', askedMs);
  expect(memory.over('dead')).toBeUndefined();
  clock.pass(5);
  memory.bury('dead');
  expect(memory.over('dead')).toBeDefined();
});

test('of credentials that are dead fifty thousand are held, the latest', () => {
  const memory = openMemory();
  for (let i = 0; i < 50_002; i++) memory.bury(`dead ${i}`);
  expect(memory.buried).toBe(50_000);
  expect([0, 1, 2, 50_001].map((i) => memory.over(`dead ${i}`) !== undefined)).toEqual([
    false,
    false,
    true,
    true,
  ]);
});

test('of sessions that verifiers report as used each key has a share, which no failed flush exceeds', () => {
  const warned: unknown[] = [];
  const log = Object.create(silent, {
    warn: { value: (about: unknown) => warned.push(about) },
  }) as typeof silent;
  const memory = new SessionMemory({ ...system, log }, 10, { judge: () => 'unsure', ends: () => false });
  const flooding = { keyId: 1, audience: 'shop' };
  const nowMs = clock.monotonicMs;
  const flood = (prefix: string): void => {
    for (let i = 0; i < REPORTED_CAPACITY; i++)
      memory.report(`${prefix}0000000-0000-4000-8000-${String(i).padStart(12, '0')}`, nowMs, flooding);
  };
  const [first, other, own] = ['a', 'b', 'c'].map((digit) => randomUUID().replace(/^./, digit)) as [
    string,
    string,
    string,
  ];
  memory.report(first, nowMs, flooding);
  flood('d');
  // A session that is in the share already is kept up to date, and neither another key nor the node itself is held up.
  memory.report(first, nowMs + 1, flooding);
  memory.report(other, nowMs, { keyId: null, audience: null });
  memory.use(own, nowMs);
  const taken = memory.takeActivity();
  expect(taken).toHaveLength(REPORTED_CAPACITY + 2);
  const find = (sid: string): unknown => taken.find((one) => one.sid === sid);
  expect([first, other, own].map(find)).toEqual([
    { sid: first, seen: new Date(nowMs + 1), audience: 'shop', reporter: 1 },
    { sid: other, seen: new Date(nowMs), audience: null, reporter: null },
    { sid: own, seen: new Date(nowMs), audience: null },
  ]);
  expect(warned).toEqual([{ key_id: 1, limit: REPORTED_CAPACITY }]);

  flood('e');
  memory.giveBackActivity(taken);
  const again = memory.takeActivity();
  expect(again).toHaveLength(REPORTED_CAPACITY + 2);
  expect(again.filter(({ sid }) => sid === other || sid === own)).toHaveLength(2);
  expect(warned).toHaveLength(2);
});

test('a listener hears each change of the keys until it stops', async () => {
  const memory = new KeyMemory(database, system, () => true);
  const heard = { stays: 0, leaves: 0 };
  memory.onForget(() => heard.stays++);
  const leave = memory.onForget(() => heard.leaves++);
  memory.forget();
  expect(heard).toEqual({ stays: 1, leaves: 1 });
  leave();
  memory.forget();
  expect(heard).toEqual({ stays: 2, leaves: 1 });
});

test('a session that is idle is not recalled from that very instant on', () => {
  const memory = new SessionMemory(system, 10, { judge: () => 'alive', ends: () => false });
  clock.pass(1);
  const session = liveSession({ idleExpiresAt: new Date(clock.wallMs + 10) });
  memory.remember('text', session, session.expiresAt.getTime(), memory.mark, clock.monotonicMs);
  clock.pass(9);
  expect(memory.recall('text', false)?.session.sid).toBe(session.sid);
  clock.pass(1);
  expect(memory.recall('text', false)).toBeUndefined();
});

test('a key is recalled only while the node is fresh', async () => {
  let fresh = true;
  const memory = new KeyMemory(database, system, () => fresh);
  const text = newKeyText('operator', system.randomBytes);
  expect(await memory.find(text)).toBeNull();
  expect(memory.recall(text)).toBeNull();
  fresh = false;
  expect(memory.recall(text)).toBeUndefined();
});

test('a client of the settings is in use before the database has it', async () => {
  const { clientDefaults, givenClients } = readConfig({ CURFEW_CLIENTS: '{"shop":{}}' });
  const clients = new KnownClients(database, clientDefaults, seedsOf(givenClients));
  await clients.load();
  expect([clients.records, clients.of('shop')]).toMatchObject([[], { clientId: 'shop', disabled: false }]);
});
