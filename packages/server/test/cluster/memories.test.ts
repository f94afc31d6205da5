/** The memories of sessions and of keys: what they forget, and how much they hold. */
import { expect, test } from 'vitest';
import { KeyMemory } from '../../src/cluster/memory/key-memory.ts';
import { SessionMemory } from '../../src/cluster/memory/session-memory.ts';
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

test('whoever listens to changes of keys hears each, until he stops', async () => {
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
