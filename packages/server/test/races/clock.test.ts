import { afterEach, describe, expect, test, vi } from 'vitest';
import { clockSetter } from '../../src/cluster/nodes/align-clock.ts';
import { realSystem } from '../../src/system/real.ts';
import { createSharedClock } from '../../src/system/shared-clock.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { hold } from '../services/held-database.ts';
import { cheap, migrated, recordingLog, SERVICE_KEY } from '../support.ts';
import { openNode, pause, until } from './node.ts';

/* Nodes date tokens by the database's clock: a wrong machine clock must not let one outlive its session's remembered ending. */

afterEach(() => {
  vi.restoreAllMocks();
});

test('the shared clock follows the machine until it is set, and the monotonic clock afterwards', () => {
  let [wallMs, monotonicMs] = [1_000_000, 50];
  const clock = createSharedClock(
    () => wallMs,
    () => monotonicMs,
  );
  expect(clock.now().getTime()).toBe(1_000_000);
  clock.set(5_000_000, 30, 50);
  expect(clock.now().getTime()).toBe(5_000_010);
  wallMs += 3_600_000;
  monotonicMs += 5;
  expect(clock.now().getTime()).toBe(5_000_015);
});

test('a slow answer does not set the shared clock back, and a contradicting one moves it as far as it must', () => {
  let monotonicMs = 1000;
  const clock = createSharedClock(
    () => 0,
    () => monotonicMs,
  );
  clock.set(5_000_000, 1000, 1000);
  monotonicMs = 1400;
  // The database looked at once, or at the end: both can be.
  clock.set(5_000_000, 1000, 1400);
  expect(clock.now().getTime()).toBe(5_000_400);
  clock.set(5_000_400, 1000, 1400);
  expect(clock.now().getTime()).toBe(5_000_400);
  clock.set(5_000_390, 1396, 1400);
  expect(clock.now().getTime()).toBe(5_000_394);
  clock.set(5_000_500, 1396, 1400);
  expect(clock.now().getTime()).toBe(5_000_500);
});

test('a node sets its clock by quick answers of a database on another machine, and warns once that its own is off', () => {
  const { log, lines } = recordingLog();
  const [databaseMs, monotonicMs] = [5_000_000, 1000];
  let wallMs = databaseMs;
  const heard: number[][] = [];
  const system = {
    ...realSystem(log, cheap),
    monotonicMs: () => monotonicMs,
    wallMs: () => wallMs,
    setNow: (...times: number[]) => void heard.push(times),
  };
  const tell = clockSetter({ sole: false }, system);
  tell(new Date(databaseMs), monotonicMs - 501);
  clockSetter({ sole: true }, system)(new Date(databaseMs), monotonicMs);
  expect(heard).toEqual([]);
  tell(new Date(databaseMs), monotonicMs - 500);
  expect(heard).toEqual([[databaseMs, 500, 1000]]);

  const off = (seconds: number): unknown[] => {
    lines.length = 0;
    wallMs = databaseMs + seconds * 1000;
    tell(new Date(databaseMs), monotonicMs);
    return lines.map((line) => JSON.parse(line).seconds);
  };
  expect([5, 90, 90, -5, -90].map(off)).toEqual([[], [90], [], [], [-90]]);
});

describe.skipIf(!hasPostgres())('a machine whose clock is an hour ahead', () => {
  test('dates its tokens by the database, also when the clock jumps while it runs', async () => {
    const realNow = Date.now;
    const off = { ms: 3_600_000 };
    vi.spyOn(Date, 'now').mockImplementation(() => realNow() + off.ms);
    const node = await openNode({ DATABASE_URL: await freshDatabase(migrated), CURFEW_LEASE_MS: '400' });
    try {
      const body = { email: 'ada@example.com' };
      const made = await node.call('POST', '/v1/admin/users', { bearer: SERVICE_KEY, body });
      const dated = async (): Promise<number> => {
        const opened = await node.call('POST', '/v1/admin/sessions', {
          bearer: SERVICE_KEY,
          body: { user_id: made.json.user.id },
        });
        expect([opened.status, opened.status === 200 ? '' : node.lines.slice(-3)]).toEqual([200, '']);
        const [, claims = ''] = opened.json.access_token.split('.');
        const { iat } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { iat: number };
        return Math.abs(iat - realNow() / 1000);
      };
      expect(await dated()).toBeLessThan(60);
      expect(node.lines.join('')).toContain("clock differs from the database's");
      for (off.ms of [-7_200_000, 0, 86_400_000]) expect(await dated()).toBeLessThan(60);
      // The jumps have made its memory doubt itself; with the next reads of the log it is fresh again.
      await until('the node is fresh', async () => node.world.nodes.node.isFresh());
    } finally {
      await node.close();
    }
  });
});

test.skipIf(!hasPostgres())(
  'dates a token by the question to the database, so an ended session gets no fresh token life',
  async () => {
    const node = await openNode({ DATABASE_URL: await freshDatabase(migrated) });
    try {
      const body = { email: 'ada@example.com' };
      const made = await node.call('POST', '/v1/admin/users', { bearer: SERVICE_KEY, body });
      const inserting = hold(node.world.database, 'insert_session', 'before');
      const asked = node.call('POST', '/v1/admin/sessions', {
        bearer: SERVICE_KEY,
        body: { user_id: made.json.user.id },
      });
      await inserting.reached;
      const askedMs = Date.now();
      // The answer comes in another second.
      await pause(1100);
      inserting.release();
      const [, claims = ''] = (await asked).json.access_token.split('.');
      const { iat } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { iat: number };
      expect(iat * 1000).toBeLessThanOrEqual(askedMs);
    } finally {
      await node.close();
    }
  },
);
