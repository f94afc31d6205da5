/** Giving the password again puts a new session in the place of the one that asked: a copy of that one is worth nothing. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPlace, type Place } from '../races/node.ts';
import {
  type AnyJson,
  type Answer,
  type Caller,
  type CallOptions,
  cookieOf,
  routeBackend,
  SERVICE_KEY,
} from '../support.ts';
import type { PasswordHasher } from '../../src/system/password-hashing.ts';
import { described } from './described.ts';

const WAYS = ['password', 'session/confirm'] as const;
const TRANSPORTS = ['bearer', 'opaque', 'cookie', 'token'] as const;

/** The settings of a node that a test changes. */
interface Inside {
  system: { passwords: PasswordHasher };
  keys: { sign: (...claims: unknown[]) => Promise<string> };
}

describe('a renewed session', () => {
  let place: Place;
  let call: Caller;
  beforeAll(async () => {
    place = await openPlace(routeBackend(), {});
    call = described(place.at(0).call);
  });
  afterAll(() => place.close());

  interface Held {
    asking: CallOptions;
    refresh: string | undefined;
  }
  async function open(userId: number, email: string, transport: (typeof TRANSPORTS)[number]): Promise<Held> {
    if (transport === 'token') {
      const body = { email, password: 'secret' };
      const { json } = await call('POST', '/api/v1/auth/login', { body });
      return { asking: { bearer: json.access_token }, refresh: json.refresh_token };
    }
    const { json } = await call('POST', '/v1/admin/sessions', {
      bearer: SERVICE_KEY,
      body: { user_id: userId, transport, device: { id: 'laptop', name: 'My laptop' } },
    });
    const asking =
      transport === 'cookie'
        ? { cookie: json.cookie.value, csrf: json.csrf_token }
        : { bearer: json.access_token ?? json.session_token };
    return { asking, refresh: json.refresh_token };
  }
  const renewedOf = ({ json, ...answer }: Answer<AnyJson>, transport: string): Held => ({
    asking:
      transport === 'cookie'
        ? { cookie: cookieOf({ json, ...answer }), csrf: json.csrf_token }
        : { bearer: json.access_token ?? json.session_token },
    refresh: json.refresh_token,
  });
  /** On each node, from memory and from the database. */
  const verdicts = async ({ asking }: Held): Promise<number[]> => {
    const answers: number[] = [];
    for (const { call: at } of place.nodes)
      for (const path of ['/v1/check', '/v1/session']) answers.push((await at('GET', path, asking)).status);
    return answers;
  };

  for (const way of WAYS)
    test.each(TRANSPORTS)(
      `${way}, %s: the old credentials are dead everywhere, the new ones are alive`,
      async (transport) => {
        const { id, email } = await place.user();
        const mine = await open(id, email, transport);
        const other = await open(id, email, 'bearer');
        // Remembered wherever they can be.
        const alive = place.nodes.flatMap(() => [200, 200]);
        expect([await verdicts(mine), await verdicts(other)]).toEqual([alive, alive]);
        const before = (await call('GET', '/v1/session', mine.asking)).json.session;

        const body =
          way === 'password'
            ? { current_password: 'secret', new_password: 'another pass phrase' }
            : { password: 'secret' };
        const answer = await call('POST', `/v1/${way}`, { ...mine.asking, body });
        expect(answer.status).toBe(200);
        const renewed = renewedOf(answer, transport);
        const dead = alive.map(() => 401);
        expect(await verdicts(mine)).toEqual(dead);
        expect(await verdicts(renewed)).toEqual(alive);
        expect(await verdicts(other)).toEqual(way === 'password' ? dead : alive);
        if (mine.refresh !== undefined) {
          const spend = async (refresh_token = '') =>
            (await call('POST', '/v1/refresh', { body: { refresh_token } })).status;
          expect([await spend(mine.refresh), await spend(renewed.refresh)]).toEqual([401, 200]);
        }

        const { session } = (await call('GET', '/v1/session', renewed.asking)).json;
        expect(session).toMatchObject({
          user_id: before.user_id,
          client_id: before.client_id,
          device_id: before.device_id,
        });
        expect(session.id).not.toBe(before.id);
        const late = await call('GET', '/v1/session', mine.asking);
        expect(late.json.ended).toMatchObject({ reason: 'renewed', by: 'self' });
        // The browser may have the new cookie by now.
        expect(late.headers.getSetCookie()).toEqual([]);
        const list = (await call('GET', '/v1/sessions', renewed.asking)).json.sessions;
        const view = list.find((one: { current: boolean }) => one.current);
        if (transport !== 'token') expect(view.device.name).toBe('My laptop');
      },
    );

  test('a session that ends meanwhile is not renewed, and the password is unchanged', async () => {
    const { id, email } = await place.user();
    const mine = await open(id, email, 'bearer');
    const { passwords } = (place.at(0).world as unknown as Inside).system;
    const hash = passwords.hash.bind(passwords);
    passwords.hash = async (text) => {
      await place.at(0).call('POST', '/v1/logout', { ...mine.asking, body: {} });
      return hash(text);
    };
    try {
      const body = { current_password: 'secret', new_password: 'another pass phrase' };
      expect((await call('POST', '/v1/password', { ...mine.asking, body })).status).toBe(401);
    } finally {
      passwords.hash = hash;
    }
    expect((await call('POST', '/v1/login', { body: { email, password: 'secret' } })).status).toBe(200);
  });

  const bodyOf = (way: (typeof WAYS)[number]): Record<string, string> =>
    way === 'password'
      ? { current_password: 'secret', new_password: 'another pass phrase' }
      : { password: 'secret' };

  describe.each(WAYS)('%s, when something fails', (way) => {
    test('after the commit: the new credentials are answered all the same', async () => {
      const { id, email } = await place.user();
      const mine = await open(id, email, 'bearer');
      // The right password is given back to the limits last.
      await place.rows(
        `create function fail() returns trigger language plpgsql as $$ begin raise 'no'; end $$`,
      );
      await place.rows(
        'create trigger fail before delete on login_limits for each row execute function fail()',
      );
      let answer: Answer<AnyJson>;
      try {
        answer = await call('POST', `/v1/${way}`, { ...mine.asking, body: bodyOf(way) });
      } finally {
        await place.rows('drop function fail() cascade');
      }
      expect(answer.status).toBe(200);
      expect(await verdicts(renewedOf(answer, 'bearer'))).toEqual(place.nodes.flatMap(() => [200, 200]));
      expect(place.at(0).lines.join('')).toContain(
        'could not take a login with the right password off the count of failed logins',
      );
    });

    test('before the commit: the session is unchanged', async () => {
      const { id, email } = await place.user();
      const mine = await open(id, email, 'bearer');
      const { keys } = place.at(0).world as unknown as Inside;
      const sign = keys.sign.bind(keys);
      keys.sign = () => Promise.reject(new Error('there is no signing key for EdDSA'));
      try {
        const answer = await call('POST', `/v1/${way}`, { ...mine.asking, body: bodyOf(way) });
        expect(answer.status).toBe(503);
      } finally {
        keys.sign = sign;
      }
      expect(await verdicts(mine)).toEqual(place.nodes.flatMap(() => [200, 200]));
      expect((await call('POST', '/v1/login', { body: { email, password: 'secret' } })).status).toBe(200);
    });
  });
});
