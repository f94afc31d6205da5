/** The memories of sessions and of keys: what they forget, and how much they hold. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { KeyMemory } from '../../src/cluster/memory/key-memory.ts';
import { REPORTED_CAPACITY, SessionMemory } from '../../src/cluster/memory/session-memory.ts';
import { realSystem } from '../../src/system/real.ts';
import { openHandClock, timeOf } from '../services/hand-clock.ts';
import { cheap, openStore, silent } from '../support.ts';

const clock = openHandClock();
const system = { ...realSystem(silent, cheap), ...timeOf(clock) };
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
  const database = await openStore('embedded');
  try {
    const memory = new KeyMemory(database, system, () => true);
    const heard = { stays: 0, leaves: 0 };
    memory.onForget(() => heard.stays++);
    const leave = memory.onForget(() => heard.leaves++);
    memory.forget();
    expect(heard).toEqual({ stays: 1, leaves: 1 });
    leave();
    memory.forget();
    expect(heard).toEqual({ stays: 2, leaves: 1 });
  } finally {
    await database.close();
  }
});
