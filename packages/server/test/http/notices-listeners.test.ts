/** Who may listen to notices: with which credential, from which page, and the answer to others. */
import { NOTICES_PROTOCOL, NOTICES_TOKEN } from '@curfew/protocol/notices';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Caller,
  callerOf,
  ISSUER,
  openAuthority,
  recordingLog,
  routeBackend,
  SERVICE_KEY,
  type TestAuthority,
} from '../support.ts';
import { described } from './described.ts';
import { cookieLogin, newUser, opened, sessionTokenLogin, tokenLogin } from './logins.ts';
import { connect, type Door, handshake, listen, openDoor } from './notices-door.ts';

const OTHER_PAGE = 'https://elsewhere.example';
const TRUSTED_PAGE = 'https://app.example';

describe('a listener to notices', () => {
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

  test('is admitted with every kind of credential, and gets a hello with its session', async () => {
    const user = await newUser(call);
    const session = await opened(call, user.id);
    const cookie = (await cookieLogin(call, user.email)).cookie;
    const opaque = await sessionTokenLogin(call, user.email);
    const { bearer } = await tokenLogin(call, user.email);
    for (const credential of [
      { bearer: session.bearer },
      { offered: session.bearer },
      { offered: opaque },
      // With a bar, which a subprotocol's name may contain.
      { offered: bearer },
      { cookie },
    ]) {
      const device = await listen(door.url, credential);
      expect(device.ws.protocol).toBe(NOTICES_PROTOCOL);
      const { json } = await call('GET', '/v1/session', {
        ...('cookie' in credential ? credential : {}),
        ...('bearer' in credential ? credential : {}),
        ...('offered' in credential ? { bearer: credential.offered } : {}),
      });
      expect(device.heard).toEqual([{ type: 'hello', session_id: json.session.id }]);
      device.ws.close();
      await device.closed;
    }
    for (const secret of [session.bearer, cookie, opaque, bearer])
      expect(recorded.text()).not.toContain(secret.slice(-20));
  });

  test('is refused without a credential, or with one that opens nothing', async () => {
    const { bearer, refresh } = await opened(call, await someone());
    const over = await opened(call, await someone());
    await call('POST', '/v1/logout', { bearer: over.bearer });
    const statusOf = async (...how: Parameters<typeof handshake> extends [string, ...infer R] ? R : never) =>
      (await handshake(door.url, ...how)).status;
    expect(await statusOf(null)).toBe(401);
    expect(await statusOf({ offered: refresh })).toBe(401);
    expect(await statusOf({ bearer: SERVICE_KEY })).toBe(401);
    expect(await statusOf({ cookie: 'cs_nothing' })).toBe(401);
    // The header comes before the subprotocol, and two tokens are refused.
    expect(await statusOf({ offered: bearer }, { headers: { authorization: 'Bearer x' } })).toBe(401);
    expect(
      await statusOf(null, {}, [NOTICES_PROTOCOL, NOTICES_TOKEN + bearer, NOTICES_TOKEN + over.bearer]),
    ).toBe(401);
    // The version is named, by the client and by the server.
    expect(await statusOf({ bearer }, {}, [])).toBe(400);
    expect(await statusOf({ bearer }, {}, ['curfew.notices.v2'])).toBe(400);
    const { headers } = await handshake(door.url, null);
    expect(headers['www-authenticate']).toBe('Bearer');
    expect(headers['content-type']).toBe('application/problem+json');
    expect((await handshake(door.url, { bearer })).status).toBe(101);
    // A token in the address is ignored.
    const inAddress = await fetch(`${door.url}/v1/notices?access_token=${bearer}`);
    expect(inAddress.status).toBe(401);
  });

  test('with an ended session is told how it ended and no more, with any credential, from trusted pages only', async () => {
    const user = await newUser(call);
    const over = await opened(call, user.id);
    const { cookie } = await cookieLogin(call, user.email);
    const other = await opened(call, user.id);
    const body = { scope: 'selected', sessions: [over.sid] };
    await call('POST', '/v1/logout', { bearer: other.bearer, body });
    await call('POST', '/v1/logout', { bearer: other.bearer, body: { scope: 'others' } });
    for (const credential of [{ bearer: over.bearer }, { offered: over.bearer }, { cookie }]) {
      const device = connect(door.url, credential);
      expect(await device.closed).toBe(4401);
      expect(device.heard).toMatchObject([{ type: 'session.ended', reason: 'logout', by: 'other_device' }]);
    }
    const elsewhere = { headers: { origin: OTHER_PAGE } };
    expect((await handshake(door.url, { cookie }, elsewhere)).status).toBe(403);
  });

  test('a request without an upgrade is answered 426', async () => {
    const plain = described(callerOf((asked) => fetch(asked), door.url));
    const { bearer } = await opened(call, await someone());
    expect((await plain('GET', '/v1/notices')).status).toBe(401);
    const { status, headers } = await plain('GET', '/v1/notices', { bearer });
    expect([status, headers.get('upgrade')]).toEqual([426, 'websocket']);
  });

  test('a page must be of this or a trusted origin', async () => {
    const user = await newUser(call);
    const { bearer } = await opened(call, user.id);
    const { cookie } = await cookieLogin(call, user.email);
    const from = async (credential: Parameters<typeof handshake>[1], origin: string): Promise<number> =>
      (await handshake(door.url, credential, { headers: { origin } })).status;
    for (const origin of [ISSUER, TRUSTED_PAGE, door.url])
      for (const credential of [{ cookie }, { bearer }, { offered: bearer }])
        expect([origin, await from(credential, origin)]).toEqual([origin, 101]);
    for (const origin of [OTHER_PAGE, 'null', 'https://localhost:8000', `${ISSUER}.elsewhere.example`, ''])
      for (const credential of [{ cookie }, { bearer }, { offered: bearer }])
        expect([origin, await from(credential, origin)]).toEqual([origin, 403]);
    // A program has no page; but a cookie without one is not the browser's own doing.
    expect((await handshake(door.url, { bearer })).status).toBe(101);
    const bare = { headers: { cookie: `curfew_session=${cookie}` } };
    expect((await handshake(door.url, null, bare)).status).toBe(403);
    // Two cookies of the name are refused.
    const two = { headers: { cookie: `curfew_session=${cookie}; curfew_session=${cookie}`, origin: ISSUER } };
    expect((await handshake(door.url, null, two)).status).toBe(401);
  });
});
