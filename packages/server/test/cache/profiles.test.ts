/** A cached copy of contract 001 is made, served and removed. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Copies, readThrough } from '../../src/cache/profiles.ts';
import { openRedis, type RedisCopies } from '../../src/cache/redis.ts';
import { SessionMemory } from '../../src/cluster/memory/session-memory.ts';
import type { LiveSession } from '../../src/domain/session.ts';
import { realSystem } from '../../src/system/real.ts';
import { liveSession, nextTurn, until } from '../races/node.ts';
import { openHandClock, timeOf } from '../services/hand-clock.ts';
import { findRedis, type RedisServer, startRedis } from '../services/redis.ts';
import { cheap, silent, testAuthenticator } from '../support.ts';

const KEY = 'user:1';
const session = liveSession({ born: 10, user: { ...liveSession().user, profileVersion: 3 } });

describe.skipIf(findRedis() === undefined)('a cached copy', () => {
  let server: RedisServer;
  let redis: RedisCopies;
  let memory: SessionMemory;
  let copies: Copies;
  /** An ending that this node has heard of ends the session. */
  let ended = false;
  /** The latest write of a copy. */
  let written: Promise<void> = Promise.resolve();
  // Time stands: a busy machine's Redis is never late.
  const system = { ...realSystem(silent, cheap), ...timeOf(openHandClock()) };
  beforeAll(async () => {
    server = await startRedis();
    redis = openRedis(server.url, system);
    await until('Redis is there', async () => redis.healthy);
    memory = new SessionMemory(system, 10, { judge: () => 'alive', ends: () => ended });
    const watched: RedisCopies = {
      ...redis,
      set: (...args) => (written = redis.set(...args)),
    };
    copies = { redis: watched, memory, seconds: 300, authenticator: testAuthenticator, refused: 0 };
  });
  afterAll(async () => {
    await redis.close();
    await server.stop();
  });

  /** What a session is given, and whether it was read from the database. */
  async function read(whose: LiveSession, value: string, meanwhile = (): void => undefined) {
    let loaded = false;
    const answer = await readThrough(copies, 'user', whose, async () => {
      loaded = true;
      meanwhile();
      return value;
    });
    await written;
    // What follows a write is sent: on the one connection a later question is answered after it.
    await nextTurn();
    return [answer, loaded ? 'database' : 'copy'];
  }

  test('is served to sessions that began no later, while it shows the user as the session has him', async () => {
    expect(await read(session, 'one')).toEqual(['one', 'database']);
    expect(await read(session, 'two')).toEqual(['one', 'copy']);
    expect(await read({ ...session, born: 9 }, 'two')).toEqual(['one', 'copy']);
    const later = { ...session, born: 11 };
    expect(await read(later, 'two')).toEqual(['two', 'database']);
    expect(await read(session, 'three')).toEqual(['two', 'copy']);
    const changed = { ...later, user: { ...later.user, profileVersion: 4 } };
    expect(await read(changed, 'three')).toEqual(['three', 'database']);
    expect(await read(later, 'four')).toEqual(['four', 'database']);
  });

  test('is not kept when the session ended, or its user changed, while it was made', async () => {
    await redis.remove([KEY]);
    expect(await read(session, 'ended', () => (ended = true))).toEqual(['ended', 'database']);
    expect(await redis.get(KEY)).toBeNull();
    ended = false;
    expect(await read(session, 'changed', () => memory.change([session.subject]))).toEqual([
      'changed',
      'database',
    ]);
    expect(await redis.get(KEY)).toBeNull();
    expect(await read(session, 'another', () => memory.change(['2']))).toEqual(['another', 'database']);
    expect(await redis.get(KEY)).not.toBeNull();
    expect(copies.refused).toBe(0);
  });
});
