/** Notices to devices, over real WebSockets: who may listen, who gets which notice, and how a socket ends. */
import { connect as connectTcp } from 'node:net';
import { NOTICES_PROTOCOL } from '@curfew/protocol/notices';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../races/node.ts';
import {
  type Caller,
  ISSUER,
  NEW_PASSWORD,
  openAuthority,
  recordingLog,
  routeBackend,
  SERVICE_KEY,
  type TestAuthority,
} from '../support.ts';
import { described } from './described.ts';
import { cookieLogin, newUser, opened } from './logins.ts';
import { connect, type Device, type Door, handshake, listen, openDoor } from './notices-door.ts';

const TRUSTED_PAGE = 'https://app.example';

describe('notices', () => {
  const recorded = recordingLog();
  let on: TestAuthority;
  let call: Caller;
  let door: Door;

  beforeAll(async () => {
    on = await openAuthority(
      routeBackend(),
      {
        CURFEW_TRUSTED_ORIGINS: TRUSTED_PAGE,
        CURFEW_NOTICES_PER_USER: '6',
        CURFEW_CLIENTS: '{"shop":{}}',
        LOG_LEVEL: 'trace',
      },
      { log: recorded.log },
    );
    call = described(on.call);
    door = await openDoor(on.authority);
  });
  afterAll(async () => {
    on.authority.hangUp();
    door.close();
    await on.close();
  });

  const someone = async (): Promise<number> => (await newUser(call)).id;

  interface Three {
    user: number;
    /** Of one user: two sockets of one session, and one of another session. */
    mine: Awaited<ReturnType<typeof opened>>;
    other: Awaited<ReturnType<typeof opened>>;
    here: Device;
    alsoHere: Device;
    there: Device;
    stranger: Device;
  }

  async function three(more: object = {}): Promise<Three> {
    const user = await someone();
    const [mine, other, strangers] = [
      await opened(call, user, { device: { id: 'laptop' }, ...more }),
      await opened(call, user, { device: { id: 'phone' }, ...more }),
      await opened(call, await someone()),
    ];
    const [here, alsoHere, there, stranger] = await Promise.all([
      listen(door.url, { bearer: mine.bearer }),
      listen(door.url, { offered: mine.bearer }),
      listen(door.url, { bearer: other.bearer }),
      listen(door.url, { bearer: strangers.bearer }),
    ]);
    return { user, mine, other, here, alsoHere, there, stranger };
  }

  const said = async (device: Device, sid: string): Promise<unknown> => {
    const notice = await device.hears('session.ended');
    expect(notice).toEqual({
      type: 'session.ended',
      session_id: sid,
      reason: expect.any(String),
      by: expect.any(String),
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    });
    expect(await device.closed).toBe(4401);
    expect(device.heard.at(-1)).toBe(notice);
    return [notice.reason, notice.by];
  };
  const stays = (device: Device): void => expect(device.ws.readyState).toBe(device.ws.OPEN);

  test('a logout closes the sockets of its session, and the user’s others hear that the list changed', async () => {
    const { mine, here, alsoHere, there, stranger } = await three();
    await call('POST', '/v1/logout', { bearer: mine.bearer });
    expect(await said(here, mine.sid)).toEqual(['logout', 'self']);
    expect(await said(alsoHere, mine.sid)).toEqual(['logout', 'self']);
    await there.hears('sessions.changed');
    stays(there);
    expect(stranger.heard).toHaveLength(1);
    stays(stranger);
  });

  const scopes: Record<string, { out: (all: Three) => Promise<unknown>; hears: unknown; mine?: unknown }> = {
    'one session, by another': {
      out: ({ mine, other }) => call('DELETE', `/v1/sessions/${other.sid}`, { bearer: mine.bearer }),
      hears: ['logout', 'other_device'],
    },
    selected: {
      out: ({ mine, other }) =>
        call('POST', '/v1/logout', {
          bearer: mine.bearer,
          body: { scope: 'selected', sessions: [mine.sid, other.sid] },
        }),
      hears: ['logout', 'other_device'],
      mine: ['logout', 'self'],
    },
    others: {
      out: ({ mine }) => call('POST', '/v1/logout', { bearer: mine.bearer, body: { scope: 'others' } }),
      hears: ['logout', 'other_device'],
    },
    all: {
      out: ({ mine }) => call('POST', '/v1/logout', { bearer: mine.bearer, body: { scope: 'all' } }),
      hears: ['logout', 'other_device'],
      mine: ['logout', 'self'],
    },
    'another device': {
      out: ({ mine }) =>
        call('POST', '/v1/logout', { bearer: mine.bearer, body: { scope: 'device', device: 'phone' } }),
      hears: ['logout', 'other_device'],
    },
    'contract 001': {
      out: ({ mine }) => on.call('POST', '/auth/logout', { bearer: mine.bearer }),
      hears: ['logout', 'other_device'],
      mine: ['logout', 'self'],
    },
    'a service, by the user': {
      out: ({ user }) =>
        call('POST', '/v1/admin/logout', { bearer: SERVICE_KEY, body: { scope: 'user', user_id: user } }),
      hears: ['admin_logout', 'service'],
      mine: ['admin_logout', 'service'],
    },
    'a service, by the session': {
      out: ({ other }) =>
        call('POST', '/v1/admin/logout', {
          bearer: SERVICE_KEY,
          body: { scope: 'sessions', sessions: [other.sid] },
        }),
      hears: ['admin_logout', 'service'],
    },
    'an administrator, by a list of users': {
      out: async ({ user }) =>
        call('POST', '/v1/admin/logout', {
          bearer: (await opened(call, 1)).bearer,
          body: { scope: 'users', user_ids: [user, 999_999] },
        }),
      hears: ['admin_logout', 'administrator'],
      mine: ['admin_logout', 'administrator'],
    },
    'an administrator who disables the user': {
      out: async ({ user }) =>
        call('PATCH', `/v1/admin/users/${user}`, {
          bearer: (await opened(call, 1)).bearer,
          body: { disabled: true },
        }),
      hears: ['user_disabled', 'administrator'],
      mine: ['user_disabled', 'administrator'],
    },
  };
  test.each(Object.keys(scopes))('%s', async (name) => {
    const { out, hears, mine } = scopes[name] as (typeof scopes)[string];
    const all = await three();
    await out(all);
    expect(await said(all.there, all.other.sid)).toEqual(hears);
    if (mine) {
      expect(await said(all.here, all.mine.sid)).toEqual(mine);
      expect(await said(all.alsoHere, all.mine.sid)).toEqual(mine);
    } else {
      await all.here.hears('sessions.changed');
      stays(all.here);
    }
    stays(all.stranger);
    expect(all.stranger.heard).toHaveLength(1);
  });

  test('a logout of an application, and of everyone, is announced', async () => {
    const shop = await three({ client_id: 'shop' });
    const web = await three();
    await call('POST', '/v1/admin/logout', {
      bearer: SERVICE_KEY,
      body: { scope: 'client', client_id: 'shop' },
    });
    expect(await said(shop.here, shop.mine.sid)).toEqual(['admin_logout', 'service']);
    expect(await said(shop.there, shop.other.sid)).toEqual(['admin_logout', 'service']);
    for (const device of [shop.stranger, web.here, web.there]) stays(device);
    const everyone = { scope: 'everyone' };
    const { json } = await call('POST', '/v1/admin/logout', { bearer: SERVICE_KEY, body: everyone });
    await call('POST', '/v1/admin/logout', {
      bearer: SERVICE_KEY,
      body: { ...everyone, confirm: json.count },
    });
    for (const [device, sid] of [
      [web.here, web.mine.sid],
      [web.there, web.other.sid],
    ] as const)
      expect(await said(device, sid)).toEqual(['admin_logout', 'service']);
    expect(await shop.stranger.closed).toBe(4401);
  });

  test('a new password, and a login over a cookie, are announced', async () => {
    const user = await newUser(call);
    const [one, two] = [await opened(call, user.id), await opened(call, user.id)];
    const other = await listen(door.url, { bearer: two.bearer });
    const changed = await call('POST', '/v1/password', {
      bearer: one.bearer,
      body: { current_password: NEW_PASSWORD, new_password: 'another password' },
    });
    expect(changed.status).toBe(200);
    expect(await said(other, two.sid)).toEqual(['password_changed', 'other_device']);

    const third = await newUser(call);
    const { cookie } = await cookieLogin(call, third.email);
    const page = await listen(door.url, { cookie });
    await cookieLogin(call, third.email, { cookie: `curfew_session=${cookie}`, origin: ISSUER });
    const notice = await page.hears('session.ended');
    expect([notice.reason, notice.by]).toEqual(['replaced_by_login', 'self']);
  });

  test('a login and a name reach the user’s other sockets, a few times a second at most', async () => {
    const user = await someone();
    const { bearer, sid } = await opened(call, user);
    const device = await listen(door.url, { bearer });
    await opened(call, user);
    await device.hears('sessions.changed');
    device.heard.length = 0;
    await call('PATCH', `/v1/sessions/${sid}`, { bearer, body: { name: 'Mine' } });
    await device.hears('sessions.changed');
    device.heard.length = 0;
    const began = performance.now();
    // Sessions that are opened at once are announced together.
    for (let i = 0; i < 50; i++) await opened(call, user);
    await until('the last is told', async () => device.heard.length > 0);
    const seconds = (performance.now() - began) / 1000;
    await new Promise((wake) => setTimeout(wake, 500));
    expect(device.heard.length).toBeLessThanOrEqual(3 + 3 * seconds);
    expect(device.heard.every((notice) => notice.type === 'sessions.changed')).toBe(true);
    device.ws.terminate();
  });

  test('a client that sends anything is closed with 1008', async () => {
    const { bearer } = await opened(call, await someone());
    for (const message of ['hello', '', Buffer.from([1, 2, 3]), 'x'.repeat(1025), Buffer.alloc(100_000)]) {
      const device = await listen(door.url, { bearer });
      device.ws.send(message);
      expect([message.length, await device.closed]).toEqual([message.length, 1008]);
    }
  });

  test('a user has a limited number of sockets; one that closes makes room', async () => {
    const user = await someone();
    const { bearer } = await opened(call, user);
    const devices: Device[] = [];
    for (let i = 0; i < 6; i++) devices.push(await listen(door.url, { bearer }));
    const seventh = connect(door.url, { bearer });
    expect(await seventh.closed).toBe(1013);
    expect(seventh.heard).toEqual([]);
    devices[0]?.ws.close();
    await until('there is room', async () => {
      const device = connect(door.url, { bearer });
      const open = await Promise.race([
        device.hears('hello').then(() => true),
        device.closed.then(() => false),
      ]);
      device.ws.terminate();
      return open;
    });
    for (const device of devices) device.ws.terminate();
  });

  test('an invalid or broken-off handshake does no harm', async () => {
    const { bearer } = await opened(call, await someone());
    const port = Number(new URL(door.url).port);
    const head = (more: string): string =>
      `GET /v1/notices HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${more}\r\n`;
    const ask = (text: string): Promise<string> =>
      new Promise((resolve) => {
        let answer = '';
        const socket = connectTcp(port, '127.0.0.1', () => socket.write(text));
        socket.on('data', (data: Buffer) => (answer += data.toString()));
        socket.on('close', () => resolve(answer.split('\r\n', 1)[0] ?? ''));
        socket.on('error', () => resolve('error'));
      });
    const good = `Authorization: Bearer ${bearer}\r\nSec-WebSocket-Protocol: ${NOTICES_PROTOCOL}\r\n`;
    expect(await ask(head(`${good}Sec-WebSocket-Version: 13\r\n`))).toBe('HTTP/1.1 400 Bad Request');
    expect(
      await ask(head(`${good}Sec-WebSocket-Version: 7\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n`)),
    ).toMatch(/^HTTP\/1.1 4\d\d /);
    for (let i = 0; i < 20; i++) {
      const socket = connectTcp(port, '127.0.0.1', () => {
        socket.write(
          head(`${good}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n`),
        );
        setTimeout(() => socket.resetAndDestroy(), i % 4);
      });
      socket.on('error', () => undefined);
    }
    await new Promise((wake) => setTimeout(wake, 50));
    const device = await listen(door.url, { bearer });
    device.ws.terminate();
  });

  test('metrics count listeners and notices', async () => {
    const { bearer } = await opened(call, await someone());
    const device = await listen(door.url, { bearer });
    const { text } = await call('GET', '/metrics', { bearer: SERVICE_KEY });
    const value = (name: string): number =>
      Number(new RegExp(`^${name.replace(/[{}."]/g, '\\$&')} (\\S+)$`, 'm').exec(text)?.[1]);
    expect(value('curfew_notice_sockets')).toBeGreaterThanOrEqual(1);
    expect(value('curfew_notices_total{type="session.ended"}')).toBeGreaterThan(20);
    expect(value('curfew_notices_total{type="sessions.changed"}')).toBeGreaterThan(5);
    expect(value('curfew_notice_seconds_count')).toBeGreaterThan(20);
    expect(value('curfew_notice_sockets_dropped_total{why="protocol"}')).toBeGreaterThanOrEqual(3);
    expect(value('curfew_notice_sockets_dropped_total{why="busy"}')).toBeGreaterThanOrEqual(1);
    device.ws.terminate();
  });

  test('a stopping node closes its sockets with a code, and admits no more', async () => {
    const own = await openAuthority(routeBackend());
    const ownDoor = await openDoor(own.authority);
    const { bearer } = await opened(own.call, 2);
    const devices = await Promise.all([1, 2, 3].map(() => listen(ownDoor.url, { bearer })));
    own.authority.hangUp();
    expect(await Promise.all(devices.map(({ closed }) => closed))).toEqual([1012, 1012, 1012]);
    expect((await handshake(ownDoor.url, { bearer })).status).toBe(503);
    ownDoor.close();
    await own.close();
  });
});
