/** The connection to Redis, by a hand clock: when it counts as away, and when as returned. */
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { openRedis, type RedisCopies } from '../../src/cache/redis.ts';
import { realSystem } from '../../src/system/real.ts';
import { nextTurn, until } from '../races/node.ts';
import { type HandClock, openHandClock, timeOf } from '../services/hand-clock.ts';
import { openMovingAddress } from '../services/moving-address.ts';
import { findRedis, type RedisServer, startRedis } from '../services/redis.ts';
import { cheap, recordingLog } from '../support.ts';

interface Opened {
  redis: RedisCopies;
  clock: HandClock;
  /** The text and the error of each line. */
  said: () => { msg: string; err?: { type: string; message: string } }[];
  /** How often it has returned. */
  returns: () => number;
}

function open(url: string): Opened {
  const clock = openHandClock();
  const { log, lines } = recordingLog();
  const redis = openRedis(url, { ...realSystem(log, cheap), ...timeOf(clock) });
  onTestFinished(() => redis.close());
  let returns = 0;
  redis.onReturn(() => returns++);
  return { redis, clock, said: () => lines.map((line) => JSON.parse(line)), returns: () => returns };
}

const AWAY = 'Redis does not answer: logouts continue without it, cached profiles are read from the database';
const BACK = 'Redis answers again';

test('a Redis that breaks every connection is away, and named once with its error', async () => {
  let tried = 0;
  const server = createServer((socket: Socket) => {
    tried++;
    socket.on('error', () => undefined);
    socket.resetAndDestroy();
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onTestFinished(() => void server.close());
  const { redis, said, returns } = open(`redis://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await until('it was tried again', async () => tried >= 3);
  expect(said()).toMatchObject([{ msg: AWAY, err: { message: expect.stringMatching(/ECONNRESET|EPIPE/) } }]);
  expect([redis.healthy, returns()]).toEqual([false, 0]);
  await expect(redis.get('user:1')).rejects.toThrow('Redis does not answer');
});

test('a Redis that accepts connections and answers none is away, and named once with that', async () => {
  let tried = 0;
  const server = createServer((socket: Socket) => {
    tried++;
    socket.on('error', () => undefined).resume();
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onTestFinished(() => void server.close());
  const { redis, clock, said } = open(`redis://127.0.0.1:${(server.address() as AddressInfo).port}`);
  for (const round of [1, 2]) {
    await until('it is connected', async () => tried === round && clock.patienceMs === 150);
    clock.pass(149);
    await nextTurn();
    expect(said()).toHaveLength(round - 1);
    clock.pass(1);
  }
  expect(said()).toMatchObject([{ msg: AWAY, err: { message: 'a new connection is not answered' } }]);
  expect(redis.healthy).toBe(false);
});

describe.skipIf(findRedis() === undefined)('a Redis that was there', () => {
  let server: RedisServer;
  let direct: Redis;
  beforeAll(async () => {
    server = await startRedis();
    direct = new Redis(server.url);
  });
  afterAll(async () => {
    direct.disconnect();
    await server.stop();
  });

  test('has returned at the start, and after each connection that was closed', async () => {
    const { redis, said, returns } = open(server.url);
    await until('it is there', async () => returns() === 1);
    expect([redis.healthy, said()]).toEqual([true, []]);
    await direct.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await until('it is there again', async () => returns() === 2);
    expect(said()).toMatchObject([
      { msg: AWAY, err: { message: 'the connection was closed' } },
      { msg: BACK },
    ]);
    await direct.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await until('it is there once more', async () => returns() === 3);
    expect(said().map(({ msg }) => msg)).toEqual([AWAY, BACK, AWAY, BACK]);
    await redis.close();
    await until(
      'its connection is gone',
      async () =>
        String(await direct.call('CLIENT', 'LIST'))
          .trim()
          .split('\n').length === 1,
    );
    await nextTurn();
    expect(said()).toHaveLength(4);
  });

  test('is away when it has not answered for 150 ms, and is tried every second', async () => {
    const { redis, clock, said, returns } = open(server.url);
    await until('it is there', async () => returns() === 1);
    server.pause();
    let failure: unknown;
    const asked = redis.get('user:1').catch((error: unknown) => (failure = error));
    clock.pass(149);
    await nextTurn();
    expect([failure, redis.healthy]).toEqual([undefined, true]);
    clock.pass(1);
    await asked;
    expect([(failure as Error).message, redis.healthy]).toEqual(['no answer within 150 ms', false]);
    await expect(redis.set('user:1', '', 1)).rejects.toThrow('Redis does not answer');
    server.resume();
    clock.pass(849);
    await nextTurn();
    expect([returns(), clock.patienceMs]).toEqual([1, Number.POSITIVE_INFINITY]);
    clock.pass(1);
    await until('it is there again', async () => returns() === 2);
    expect(said().map(({ msg }) => msg)).toEqual([AWAY, BACK]);
  });

  test('fails what is under way when the connection breaks', async () => {
    const address = await openMovingAddress(server.port);
    onTestFinished(() => address.close());
    const { redis, returns } = open(address.instead(server.url));
    await until('it is there', async () => returns() === 1);
    server.pause();
    // Its clock stands: no time limit ends it. It is not asked again over the next connection.
    const asked = redis.get('user:1');
    address.moveTo(server.port);
    server.resume();
    await expect(asked).rejects.toThrow('max retries');
    await until('it is there again', async () => returns() === 2);
  });

  test('removes all keys of a pattern, and no others', async () => {
    const { redis, returns } = open(server.url);
    await until('it is there', async () => returns() === 1);
    const keys = Array.from({ length: 1200 }, (_, i) => [`profile:${i}`, 'x']).flat();
    await direct.mset(...keys, 'profiles:1', 'x');
    await redis.removeMatching('profile:*');
    expect(await direct.keys('profile*')).toEqual(['profiles:1']);
    await redis.removeMatching('nothing:*');
    expect(await direct.keys('profile*')).toEqual(['profiles:1']);
  });
});
