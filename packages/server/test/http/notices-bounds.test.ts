/** How a socket for notices ends without a logout: lifetimes, devices that do not answer or read, too many at once. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Administrator, mayStillAdminister } from '../../src/actions/admit.ts';
import { startHousekeeping } from '../../src/cluster/upkeep/housekeeping.ts';
import type { NoticeBoard, Recipient } from '../../src/cluster/follow/notice-board.ts';
import type { LiveSession } from '../../src/domain/session.ts';
import { createMetrics, type Metrics } from '../../src/http/operator/metrics.ts';
import { NoticeSockets } from '../../src/http/sockets/notice-sockets.ts';
import type { EndingEvent } from '../../src/store/log/log-event.ts';
import { openPlace, type Place, until } from '../races/node.ts';
import { ISSUER, routeBackend, SERVICE_KEY } from '../support.ts';
import {
  openHandClock,
  passSteadily,
  passUntil,
  passWhile,
  timeOf,
  waitFor,
} from '../services/hand-clock.ts';
import { newUser, opened } from './logins.ts';
import { connect, type Device, type Door, handshake, listen, openDoor } from './notices-door.ts';

const IDLE_SECONDS = 600;
const ABSOLUTE_SECONDS = 3600;
/** Longer than use may be under way to the database. */
const SLACK_SECONDS = 15;
const PING_MS = 2000;

const KEPT = { retentionDays: 90, eventsRetentionDays: 400, auditRetentionDays: 400 };

describe('the end of a socket', () => {
  let place: Place;
  let door: Door;
  let metrics: Metrics;
  let stop: () => void;
  /** The clock of timers. Sessions are dated by the place's clock, which stops between its leaps. */
  const clock = openHandClock();
  const { now: _, ...timers } = timeOf(clock);
  beforeAll(async () => {
    const settings = {
      // Use is written four times in the shortest idle life.
      CURFEW_CLIENTS: '{"quick":{"idleSeconds":1}}',
      CURFEW_IDLE_SECONDS: String(IDLE_SECONDS),
      CURFEW_ABSOLUTE_SECONDS: String(ABSOLUTE_SECONDS),
      CURFEW_NOTICES_PER_USER: '1000',
      CURFEW_NOTICES_PER_NODE: '60',
    };
    place = await openPlace(routeBackend(), settings, timers);
    for (const node of place.nodes) waitFor(node.world.database);
    // An answer from the very moment at which a memory began is not stored in it.
    clock.pass(1);
    const { world } = place.at(0);
    metrics = createMetrics(world);
    const notices = new NoticeSockets(world, metrics, PING_MS);
    stop = () => notices.close();
    door = await openDoor(notices);
  });
  afterAll(async () => {
    stop();
    door.close();
    await place.close();
  });

  const session = async (): ReturnType<typeof opened> => {
    const { call } = place.at(0);
    return opened(call, (await newUser(call, { password: undefined })).id);
  };
  const dropped = async (why: string): Promise<number> =>
    Number(
      new RegExp(`^curfew_notice_sockets_dropped_total\\{why="${why}"\\} (\\d+)$`, 'm').exec(
        await metrics.text(),
      )?.[1] ?? 0,
    );

  /** The session is used now, and that is in the database. */
  const use = async (sid: string): Promise<void> => {
    place.at(0).world.memory.use(sid);
    await passUntil(clock, 'the use is written', async () => {
      const [row] = await place.rows<{ seen: Date }>(
        'select last_seen_at as seen from user_sessions where id = $1',
        sid,
      );
      return (row?.seen.getTime() ?? 0) >= place.clock.now().getTime();
    });
  };

  /** A page at a node: it counts the changes of its user’s sessions that it hears. */
  const listenAt = ({ bearer }: { bearer: string }, i: number): { changes: number; stop: () => void } => {
    const live = place.at(0).world.memory.recall(bearer, false)?.session as LiveSession;
    const page = { changes: 0, stop: (): void => undefined };
    page.stop = place.at(i).world.notices.listen(live, {
      ended: () => undefined,
      changed: () => page.changes++,
    });
    return page;
  };

  /** Marks the sessions that ran out. @returns the users who are told */
  const sweep = async (): Promise<number[]> => {
    const { world } = place.at(0);
    const told: number[] = [];
    const housekeeping = startHousekeeping({
      database: world.database,
      system: world.system,
      memory: world.memory,
      ownAudience: ISSUER,
      flushMs: () => 1000 * ((SLACK_SECONDS - 2) / 2),
      ...KEPT,
      onRanOut: (userIds) => {
        told.push(...userIds);
        for (const userId of userIds) world.notices.changed(userId);
      },
    });
    try {
      await housekeeping.sweep();
    } finally {
      await housekeeping.close();
    }
    return told;
  };

  test('an expired session is announced to its user’s other pages on every node, and to no other user', async () => {
    const { world, call } = place.at(0);
    const { id } = await newUser(call, { password: undefined });
    const [stays, heard, unheard, stranger] = [
      await opened(call, id),
      await opened(call, id),
      await opened(call, id),
      await session(),
    ];
    const device = await listen(door.url, { bearer: heard.bearer });
    const pages = [listenAt(stays, 0), listenAt(stays, 1)];
    const another = listenAt(stranger, 0);
    /** The effects of the logins have arrived; later ones are counted. */
    const quiet = async (): Promise<void> => {
      await passSteadily(clock, 1000);
      for (const page of [...pages, another]) page.changes = 0;
    };
    const bothHear = (): Promise<void> =>
      passUntil(clock, 'both pages hear of it', () => pages.every(({ changes }) => changes > 0));

    await quiet();
    place.clock.advance(IDLE_SECONDS / 2);
    await use(stays.sid);
    await use(stranger.sid);
    await use(unheard.sid);
    place.clock.advance(IDLE_SECONDS / 2 + SLACK_SECONDS + 1);
    await use(stays.sid);
    await use(stranger.sid);
    await world.notices.look();
    await bothHear();
    expect((await device.hears('session.ended')).reason).toBe('idle_timeout');
    let spent = stays.refresh;
    const list = async (): Promise<string[]> => {
      // Its token has expired, the session has not.
      const { json: next } = await call('POST', '/v1/refresh', { body: { refresh_token: spent } });
      spent = next.refresh_token;
      const { json } = await call('GET', '/v1/sessions', { bearer: next.access_token });
      return json.sessions.map((one: { id: string }) => one.id);
    };
    expect((await list()).toSorted()).toEqual([stays.sid, unheard.sid].toSorted());

    // This one has no listener: it is noticed when its row is marked.
    await quiet();
    place.clock.advance(IDLE_SECONDS / 2);
    await world.notices.look();
    const told = await sweep();
    expect(told).toContain(id);
    await bothHear();
    expect(await list()).toEqual([stays.sid]);
    expect(another.changes).toBe(0);
    for (const page of [...pages, another]) page.stop();
  });

  test('an unused session is told of its expiry; a used one lives to its absolute end', async () => {
    const { world, call } = place.at(0);
    const [left, used] = [await session(), await session()];
    const [leftDevice, usedDevice] = [
      await listen(door.url, { bearer: left.bearer }),
      await listen(door.url, { bearer: used.bearer }),
    ];
    const useNow = (): Promise<void> => use(used.sid);
    const writes = async (): Promise<unknown> =>
      place.rows('select xmin::text, is_active from user_sessions where id = $1', left.sid);
    const before = await writes();
    place.clock.advance(IDLE_SECONDS / 2);
    await useNow();
    place.clock.advance(IDLE_SECONDS / 2 - 1);
    const told = (): number => world.notices.state().ended;
    const toldBefore = told();
    await world.notices.look();
    expect(told()).toBe(toldBefore);
    // Expired, but another node may have seen a use a moment ago.
    place.clock.advance(2);
    await world.notices.look();
    expect(told()).toBe(toldBefore);
    place.clock.advance(SLACK_SECONDS);
    await world.notices.look();
    const notice = await leftDevice.hears('session.ended');
    expect([notice.reason, notice.by]).toEqual(['idle_timeout', 'system']);
    expect(await leftDevice.closed).toBe(4401);
    expect(await writes()).toEqual(before);

    for (let gone = IDLE_SECONDS + 1; gone < ABSOLUTE_SECONDS; gone += IDLE_SECONDS / 2) {
      await useNow();
      await world.notices.look();
      expect(told()).toBe(toldBefore + 1);
      place.clock.advance(IDLE_SECONDS / 2);
    }
    await world.notices.look();
    const last = await usedDevice.hears('session.ended');
    expect([last.reason, last.by]).toEqual(['absolute_timeout', 'system']);
    expect((await call('GET', '/v1/session', { bearer: used.bearer })).json.ended).toMatchObject({
      reason: 'absolute_timeout',
      at: last.at,
    });
  });

  test('a replayed refresh token ends the session, and its socket hears it', async () => {
    const { call } = place.at(0);
    const { bearer, refresh } = await session();
    const device = await listen(door.url, { bearer });
    const body = { refresh_token: refresh };
    expect((await call('POST', '/v1/refresh', { body })).status).toBe(200);
    place.clock.advance(60);
    const replayed = await call('POST', '/v1/refresh', { body });
    expect(replayed.status).toBe(401);
    expect(replayed.json.ended).toMatchObject({ reason: 'refresh_replay', by: 'system' });
    const notice = await device.hears('session.ended');
    expect([notice.reason, notice.by]).toEqual(['refresh_replay', 'system']);
  });

  test('an ending during the check of the credential is announced all the same', async () => {
    const { world, call } = place.at(0);
    const { bearer } = await session();
    const remembered = world.memory.recall(bearer, false)?.session as LiveSession;
    expect(remembered).toBeDefined();
    await call('POST', '/v1/logout', { bearer });
    const ended = await new Promise((told) => {
      world.notices.listen(remembered, { ended: told, changed: () => undefined });
    });
    expect(ended).toMatchObject({ reason: 'logout', by: 'self' });
  });

  test('a logout does not wait for notices', async () => {
    const { world } = place.at(0);
    const { bearer, sid } = await session();
    const remembered = world.memory.recall(bearer, false)?.session as LiveSession;
    let told = 0;
    const stop = world.notices.listen(remembered, { ended: () => told++, changed: () => undefined });
    const event = {
      type: 'sessions_ended',
      at: world.system.now(),
      reason: 'logout',
      actor: 'service',
      user_id: remembered.userId,
      user_ids: [remembered.userId],
    } as EndingEvent;
    world.notices.took({ position: 1, ids: [sid], cuts: [], changed: [] }, event);
    expect(told).toBe(0);
    await until('it is told', async () => told === 1);
    stop();
  });

  test('listening does not count as activity', async () => {
    const { world, call } = place.at(0);
    const { bearer, sid } = await session();
    const used = (): boolean => world.memory.takeActivity().some((one) => one.sid === sid);
    expect(used()).toBe(false);
    const device = await listen(door.url, { bearer });
    expect(used()).toBe(false);
    await call('GET', '/v1/check', { bearer });
    expect(used()).toBe(true);
    device.ws.terminate();
  });

  test('a judgement of an administrator who follows the log does not count as activity', async () => {
    const { world, call } = place.at(0);
    const { bearer, sid } = await opened(call, (await newUser(call, { role: 'admin' })).id);
    const used = (): boolean => world.memory.takeActivity().some((one) => one.sid === sid);
    const session = world.memory.recall(bearer, false)?.session as LiveSession;
    const onlooker: Administrator = {
      kind: 'administrator',
      actor: 'user:1',
      reach: { clientId: null, admins: true, users: true },
      key: null,
      session,
      credential: { kind: 'jwt', text: bearer },
    };
    expect(await mayStillAdminister(world, onlooker)).toBe(true);
    expect(used()).toBe(false);
    await call('GET', '/v1/check', { bearer });
    expect(used()).toBe(true);
  });

  test('a device that answers no ping is dropped, one that answers stays', async () => {
    const { bearer } = await session();
    const dumb = await listen(door.url, { bearer }, { autoPong: false });
    const alive = await listen(door.url, { bearer });
    const before = await dropped('silent');
    expect(await passWhile(clock, dumb.closed)).toBe(1006);
    expect(await dropped('silent')).toBe(before + 1);
    await passSteadily(clock, 3 * PING_MS);
    expect(alive.ws.readyState).toBe(alive.ws.OPEN);
    alive.ws.terminate();
  });

  test('a device that does not read is dropped, and little is buffered for it', async () => {
    const { bearer } = await session();
    // Notices are so few that filling the system's buffer of a socket would take a day: here the board sends many.
    const { world } = place.at(0);
    let recipient: Recipient | undefined;
    const hurried = {
      of: () => 0,
      listen: (_session: LiveSession, to: Recipient) => {
        recipient = to;
        return () => undefined;
      },
    };
    // Pinged so rarely that its silence is not the reason.
    const notices = new NoticeSockets({ ...world, notices: hurried as unknown as NoticeBoard }, metrics);
    const own = await openDoor(notices);
    const slow = await listen(own.url, { bearer });
    slow.ws.pause();
    const before = await dropped('unread');
    let told = 0;
    await until('it is dropped', async () => {
      for (let i = 0; i < 20_000; i++, told++) recipient?.changed();
      return (await dropped('unread')) > before;
    });
    slow.ws.resume();
    expect([1013, 1006]).toContain(await slow.closed);
    expect(slow.heard.length).toBeLessThan(told);
    notices.close();
    own.close();
  });

  test('a node takes a bounded number of sockets, and of new ones a second', async () => {
    const { bearer } = await session();
    await until('the others are gone', async () => place.at(0).world.notices.state().listeners === 0);
    const devices: Device[] = [];
    for (let i = 0; i < 60; i++) devices.push(await listen(door.url, { bearer }));
    expect(await connect(door.url, { bearer }).closed).toBe(1013);
    for (const device of devices) device.ws.terminate();

    const { world } = place.at(0);
    const { config } = world;
    const slow = { ...world, config: { ...config, notices: { ...config.notices, perSecond: 2 } } };
    const notices = new NoticeSockets(slow, metrics);
    const own = await openDoor(notices);
    const answers = await Promise.all(Array.from({ length: 60 }, () => handshake(own.url, { bearer })));
    expect(answers.filter(({ status }) => status === 101)).toHaveLength(2);
    const [refused] = answers.filter(({ status }) => status === 503);
    expect(refused?.headers['retry-after']).toBe('1');
    // A socket that is refused for another reason takes no place.
    for (let i = 0; i < 20; i++) expect((await handshake(own.url, null)).status).toBe(401);
    expect((await handshake(own.url, { bearer })).status).toBe(503);
    clock.pass(500);
    expect((await handshake(own.url, { bearer })).status).toBe(101);
    notices.close();
    own.close();
  });

  test('while the database is away no socket is admitted', async () => {
    const { bearer } = await session();
    const node = place.at(0);
    node.world.memory.forget();
    await place.rows('alter view open_sessions rename to away');
    try {
      expect((await handshake(door.url, { bearer })).status).toBe(503);
    } finally {
      await place.rows('alter view away rename to open_sessions');
    }
    expect((await handshake(door.url, { bearer })).status).toBe(101);
    expect((await node.call('GET', '/metrics', { bearer: SERVICE_KEY })).status).toBe(200);
  });
});
