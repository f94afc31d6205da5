/** The doorbell by itself: what one node says to the others, and over which connections. `races/doorbell.test.ts` has it between nodes. */
import { connect, createServer, type AddressInfo } from 'node:net';
import type { Ring } from '@curfew/protocol/rings';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Doorbell, openDoorbell } from '../../src/cluster/nodes/doorbell.ts';
import type { Database } from '../../src/store/database.ts';
import { realSystem } from '../../src/system/real.ts';
import { nextTurn, until } from '../races/node.ts';
import { hold } from '../services/held-database.ts';
import { findRedis, startRedis } from '../services/redis.ts';
import { backends, cheap, openStore, silent, testAuthenticator } from '../support.ts';

let database: Database;
beforeAll(async () => {
  database = await openStore(backends().at(-1) ?? 'embedded');
});
afterAll(() => database.close());

const open = (redisUrl: string | null, on = database): Doorbell =>
  openDoorbell(on, redisUrl, 'tests', realSystem(silent, cheap), testAuthenticator);
const ack = (to: string, over: boolean): Ring => ({
  ack: 7,
  from: 'here',
  to,
  over,
  acknowledged: 0,
  missing: 0,
});

test('while it rings, the newest ring waits, and the newest acknowledgement of each kind to each node', async () => {
  const heard: Ring[] = [];
  const stop = await open(null).listen(
    (message) => void heard.push(message),
    () => undefined,
    () => undefined,
    () => 0,
  );
  const bell = open(null);
  const held = hold(database, 'ring', 'before');
  const said = [bell.ring({ ring: 1, from: 'here' })];
  await held.reached;
  const waiting: Ring[] = [
    { ring: 2, from: 'here' },
    { ring: 3, from: 'here' },
    ack('there', false),
    ack('there', true),
    ack('elsewhere', true),
  ];
  for (const message of waiting) said.push(bell.ring(message));
  held.release();
  await Promise.all(said);
  await until('all are heard', async () => heard.length >= 5);
  expect(heard).toHaveLength(5);
  expect(heard).toEqual(
    expect.arrayContaining(
      [{ ring: 1, from: 'here' } as Ring, ...waiting.slice(1)].map((one) => expect.objectContaining(one)),
    ),
  );
  await stop();
});

test('asks for no Redis where this node is the only one', async () => {
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.on('error', () => undefined);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  const sole = { ...database, sole: true };
  const stop = await open(`redis://127.0.0.1:${port}`, sole).listen(
    () => undefined,
    () => undefined,
    () => undefined,
    () => 0,
  );
  await nextTurn();
  // A connection that began before this one would be accepted before it.
  const own = connect(port, '127.0.0.1');
  await until('the last connection is there', async () => connections > 0);
  expect(connections).toBe(1);
  own.destroy();
  await stop();
  server.close();
});

test.skipIf(findRedis() === undefined)('leaves no connection to Redis behind', async () => {
  const redis = await startRedis();
  const direct = new Redis(redis.url);
  const connections = async (): Promise<number> =>
    String(await direct.call('CLIENT', 'LIST'))
      .trim()
      .split('\n').length;
  try {
    let ready = false;
    const stop = await open(redis.url, { ...database, sole: false }).listen(
      () => undefined,
      () => (ready = true),
      () => undefined,
      () => 0,
    );
    await until('it is connected', async () => ready && (await connections()) === 3);
    await stop();
    await until('its connections are gone', async () => (await connections()) === 1);
  } finally {
    direct.disconnect();
    await redis.stop();
  }
});
