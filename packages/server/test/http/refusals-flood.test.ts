/** A flood of refused attempts: what the log stores of it, and what it costs. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { RefusalLog } from '../../src/cluster/upkeep/refusal-log.ts';
import { boundRefusals } from '../../src/store/refusals.ts';
import { purgeOld } from '../../src/store/purge.ts';
import { type Node, openPlace, type Place } from '../races/node.ts';
import { openHandClock, timeOf } from '../services/hand-clock.ts';
import { type CallOptions, routeBackend, SERVICE_KEY } from '../support.ts';
import { type Seen, SETTINGS } from './refused-events.ts';

describe('a flood of refusals', () => {
  let place: Place;
  let node: Node;
  beforeAll(async () => {
    place = await openPlace(routeBackend(), SETTINGS);
    node = place.at(0);
  });
  afterAll(() => place.close());
  beforeEach(async () => {
    place.clock.nextMinute();
    await node.world.refusals.write();
    await place.rows('truncate refusals, login_limits');
  });

  const call = (method: string, path: string, options?: CallOptions, on: Node = node) =>
    on.call(method, path, options);
  const events = async (query: string, on: Node = node): Promise<Seen[]> =>
    (await call('GET', `/v1/admin/events?${query}`, { bearer: SERVICE_KEY }, on)).json.events;
  const request = (address: string) => ({
    contract: 'v1',
    ipAddress: address,
    userAgent: 'Flood/1',
    requestId: null,
  });
  const rows = (where = 'true') =>
    place.rows<{ source: string; count: number; user_id: number | null }>(
      `select source, count, user_id from refusals where ${where} order by count, source`,
    );

  test('of addresses leaves a bounded number of rows, in one statement', async () => {
    const { database, system } = node.world;
    const names: string[] = [];
    const watched = {
      ...database,
      query: (config: { name?: string }) => {
        names.push(config.name ?? '');
        return database.query(config as Parameters<typeof database.query>[0]);
      },
    };
    const log = new RefusalLog(watched, system);
    const { id } = await place.user();
    for (let i = 0; i < 3000; i++) {
      log.note('websocket_refused', null, request(`2001:db8:0:${i.toString(16)}::1`));
      // One subscriber's addresses are one source.
      log.note('csrf_refused', null, request(`2001:db8:ffff:ffff::${i.toString(16)}`));
      log.note('login_failed', id, request(`2001:db8:1:${i.toString(16)}::1`));
    }
    await log.write();
    expect(names).toEqual(['write_refusals']);
    const ofNobody = await rows(`type = 'websocket_refused'`);
    expect(ofNobody.length).toBeLessThanOrEqual(101);
    expect(ofNobody.find(({ source }) => source === '*')?.count).toBeGreaterThan(2800);
    expect(await rows(`type = 'csrf_refused'`)).toEqual([
      { source: '2001:db8:ffff:ffff::/64', count: 3000, user_id: null },
    ]);
    const ofAccount = await rows(`user_id = ${id}`);
    expect(ofAccount).toHaveLength(11);
    expect(ofAccount.at(-1)).toEqual({ source: '*', count: 2990, user_id: id });
    const found = await events(`user_id=${id}`);
    expect(found.find(({ details }) => details !== null)?.details).toEqual({ others: true });
    await log.close();
  });

  test('of names neither fills the table nor hides an account', async () => {
    const { database, system } = node.world;
    const log = new RefusalLog(database, system);
    const { id } = await place.user();
    for (let i = 0; i < 3000; i++) log.note('login_limited', `${i}@typed.example`, request('192.0.2.7'));
    log.note('login_failed', id, request('192.0.2.8'));
    for (let i = 0; i < 3000; i++) log.note('login_failed', 1_000_000 + i, request(`192.0.2.9`));
    await log.close();
    expect(await rows(`type = 'login_limited'`)).toEqual([
      { source: '192.0.2.7', count: 200, user_id: null },
      { source: '*', count: 2800, user_id: null },
    ]);
    expect(await rows(`user_id = ${id}`)).toEqual([{ source: '192.0.2.8', count: 1, user_id: id }]);
    expect((await rows(`type = 'login_failed'`)).length).toBeLessThanOrEqual(1001);
  });

  test('while the database refuses writes is held in bounded memory, and the loss is logged', async () => {
    const { database, system } = node.world;
    const query = database.query.bind(database);
    const down = { ...database, query: () => Promise.reject(new Error('away')) };
    const log = new RefusalLog(down, system);
    for (let minute = 0; minute < 80; minute++) {
      place.clock.advance(60);
      for (let i = 0; i < 100; i++) log.note('csrf_refused', null, request(`192.0.2.${i}`));
    }
    node.lines.length = 0;
    await log.write();
    Object.assign(down, { query });
    await log.close();
    const said = node.lines.map((line) => JSON.parse(line)).filter(({ msg }) => /refused att/.test(msg));
    expect(said).toMatchObject([
      { msg: expect.stringContaining('could not record refused attempts; will retry'), rows: 5000 },
      { msg: 'refused attempts were not recorded', count: 3000 },
    ]);
    const [sum] = await place.rows<{ sum: number }>('select sum(count)::int as sum from refusals');
    expect(sum?.sum).toBe(5000);
  });

  test('that comes while a write fails is held within the same bound', async () => {
    const { database, system } = node.world;
    let fail: (why: Error) => void = () => undefined;
    const away = { ...database, query: () => new Promise<never>((_, reject) => (fail = reject)) };
    const log = new RefusalLog(away, system);
    const aMinute = (): void => {
      for (let i = 0; i < 100; i++) log.note('csrf_refused', null, request(`192.0.2.${i}`));
    };
    const minutes = (count: number): void => {
      for (; count > 0; count--, place.clock.advance(60)) aMinute();
    };
    minutes(49);
    aMinute();
    const failing = log.write();
    // The same minute once more, and 49 others: no room is left for those of the failed write.
    minutes(50);
    fail(new Error('away'));
    await failing;
    node.lines.length = 0;
    Object.assign(away, { query: database.query.bind(database) });
    await log.close();
    expect(node.lines.map((line) => JSON.parse(line))).toMatchObject([
      { msg: 'refused attempts were not recorded', count: 4900 },
    ]);
    expect(
      await place.rows('select count, count(*) as rows from refusals group by count order by count'),
    ).toEqual([
      { count: 1, rows: 4900 },
      { count: 2, rows: 100 },
    ]);
  });

  test('is written a moment after its beginning, and then four times a second', async () => {
    const { database, system } = node.world;
    const clock = openHandClock();
    let writes = 0;
    const watched = {
      ...database,
      query: (config: Parameters<typeof database.query>[0]) => {
        writes++;
        return database.query(config);
      },
    };
    const log = new RefusalLog(watched, { ...system, ...timeOf(clock) });
    /** A refusal is written exactly then. */
    const isWrittenAfter = async (ms: number): Promise<void> => {
      const before = writes;
      log.note('csrf_refused', null, request('192.0.2.1'));
      clock.pass(ms - 1);
      expect(writes).toBe(before);
      clock.pass(1);
      expect(writes).toBe(before + 1);
      await log.write();
    };
    await isWrittenAfter(50);
    await isWrittenAfter(250);
    clock.pass(100);
    await isWrittenAfter(150);
    clock.pass(1000);
    await isWrittenAfter(50);
    await log.close();
  });

  test('is tried once more at the end, and then no more', async () => {
    const { database, system } = node.world;
    const clock = openHandClock();
    let writes = 0;
    const away = { ...database, query: () => Promise.reject(new Error(`away ${++writes}`)) };
    const log = new RefusalLog(away, { ...system, ...timeOf(clock) });
    log.note('csrf_refused', null, request('192.0.2.1'));
    await log.write();
    await log.close();
    expect(writes).toBe(2);
    clock.pass(60_000);
    expect(writes).toBe(2);
  });

  test('stores the beginning of a browser’s name, as text that the database takes', async () => {
    const { database, system } = node.world;
    const log = new RefusalLog(database, system);
    const userAgent = `a\0${'b'.repeat(509)}😀`;
    log.note('csrf_refused', null, { ...request('192.0.2.1'), userAgent });
    await log.close();
    expect(await place.rows('select user_agent from refusals')).toEqual([
      { user_agent: `a${'b'.repeat(509)}\ufffd` },
    ]);
  });

  test('is deleted after the retention, and beyond the table’s bound rows without an account go first', async () => {
    const { database, system } = node.world;
    const log = new RefusalLog(database, system);
    log.note('login_failed', 7, request('192.0.2.1'));
    await log.write();
    place.clock.advance(86_400);
    for (let i = 0; i < 5; i++) log.note('csrf_refused', null, request(`192.0.2.${i}`));
    log.note('login_failed', 8, request('192.0.2.1'));
    await log.close();
    const accounts = async (): Promise<unknown[]> =>
      (await rows()).map(({ user_id }) => user_id).toSorted((a, b) => Number(a) - Number(b));
    await boundRefusals(database, 4);
    expect(await accounts()).toEqual([null, null, 7, 8]);
    const before = new Date(place.clock.now().getTime() - 3600_000);
    expect(await purgeOld(database, 'refusals', before, 2)).toBe(1);
    expect(await accounts()).toEqual([null, null, 8]);
    await boundRefusals(database, 0);
    expect(await rows()).toEqual([]);
  });
});
