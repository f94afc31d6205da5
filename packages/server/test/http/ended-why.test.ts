/** The refusal of a genuine credential says how its session ended; any other says nothing. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPlace, type Place } from '../races/node.ts';
import { type Caller, type CallOptions, routeBackend, SERVICE_KEY } from '../support.ts';
import { described } from './described.ts';
import { newUser, opened } from './logins.ts';

const IDLE_SECONDS = 600;
/** For so long after it a session may turn out to have been used. */
const SLACK_SECONDS = 12;

describe('why a session ended', () => {
  let place: Place;
  let call: Caller;
  beforeAll(async () => {
    place = await openPlace(routeBackend(), {
      CURFEW_IDLE_SECONDS: String(IDLE_SECONDS),
      CURFEW_ACCESS_TOKEN_SECONDS: '60',
    });
    call = described(place.at(0).call);
  });
  afterAll(() => place.close());

  const someone = async (): Promise<{ id: number; email: string }> => newUser(call, {});
  interface Issued {
    sid: string;
    credential: CallOptions;
  }
  const issue = async (userId: number, transport: string): Promise<Issued & { refresh?: string }> => {
    const { json } = await call('POST', '/v1/admin/sessions', {
      bearer: SERVICE_KEY,
      body: { user_id: userId, transport },
    });
    const credential = json.cookie
      ? { cookie: json.cookie.value }
      : { bearer: json.session_token ?? json.access_token };
    return { sid: json.session.id, credential, refresh: json.refresh_token };
  };
  const why = async ({ credential }: Issued): Promise<unknown> => {
    const { status, json, headers } = await call('GET', '/v1/session', credential);
    expect([status, json.code, headers.get('www-authenticate')]).toEqual([
      401,
      'not_authenticated',
      'Bearer',
    ]);
    return json.ended;
  };
  const at = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);

  test('is told for every kind of credential and every way to end', async () => {
    const { id } = await someone();
    const kinds = ['bearer', 'opaque', 'cookie'];
    const own: Issued[] = [];
    for (const kind of kinds) own.push(await issue(id, kind));
    const [first, second, third] = own as [Issued, Issued, Issued];
    await call('POST', '/v1/logout', first.credential);
    expect(await why(first)).toEqual({ reason: 'logout', by: 'self', at });
    const admin = { bearer: SERVICE_KEY };
    await call('POST', '/v1/admin/logout', { ...admin, body: { scope: 'sessions', sessions: [second.sid] } });
    expect(await why(second)).toEqual({ reason: 'admin_logout', by: 'service', at });
    const last = await issue(id, 'bearer');
    await call('POST', '/v1/logout', { ...last.credential, body: { scope: 'others' } });
    expect(await why(third)).toEqual({ reason: 'logout', by: 'other_device', at });
    const administrator = await opened(call, (await newUser(call, { role: 'admin' })).id);
    await call('DELETE', `/v1/admin/users/${id}`, { bearer: administrator.bearer });
    expect(await why(last)).toEqual({ reason: 'user_deleted', by: 'administrator', at });
    // The reason stays the same.
    expect(await why(first)).toMatchObject({ by: 'self' });
  });

  test('is told before the rows that a cut has ended are marked', async () => {
    const { id } = await someone();
    const all: Issued[] = [];
    for (let i = 0; i < 3; i++) all.push(await issue(id, ['bearer', 'opaque', 'cookie'][i] as string));
    const [asking] = all as [Issued];
    await call('POST', '/v1/logout', { ...asking.credential, body: { scope: 'all' } });
    await place.rows(
      `update user_sessions set is_active = true, ended_at = null, ended_by = null, ended_reason = null
       where user_id = $1`,
      id,
    );
    expect(await why(asking)).toEqual({ reason: 'logout', by: 'self', at });
    for (const other of all.slice(1))
      expect(await why(other)).toEqual({ reason: 'logout', by: 'other_device', at });
  });

  test('is told to a token that has expired since, and to a refresh token', async () => {
    const { id } = await someone();
    const issued = await issue(id, 'bearer');
    const body = { refresh_token: issued.refresh };
    const rotated = await call('POST', '/v1/refresh', { body });
    expect(rotated.status).toBe(200);
    place.clock.advance(120);
    // The session lives: the token alone is over.
    expect(await why(issued)).toBeUndefined();
    const fresh = await call('POST', '/v1/refresh', { body: { refresh_token: rotated.json.refresh_token } });
    await call('POST', '/v1/logout', { bearer: fresh.json.access_token });
    place.clock.advance(120);
    const said = { reason: 'logout', by: 'self', at };
    expect(await why(issued)).toEqual(said);
    expect(await why({ ...issued, credential: { bearer: fresh.json.access_token } })).toEqual(said);
    for (const refresh_token of [issued.refresh, rotated.json.refresh_token, fresh.json.refresh_token]) {
      const { status, json } = await call('POST', '/v1/refresh', { body: { refresh_token } });
      expect([status, json.ended]).toEqual([401, said]);
    }
  });

  test('is told for a session that ran idle', async () => {
    const { id } = await someone();
    for (const kind of ['bearer', 'opaque', 'cookie']) {
      const issued = await issue(id, kind);
      place.clock.advance(IDLE_SECONDS + SLACK_SECONDS);
      expect(await why(issued)).toEqual({ reason: 'idle_timeout', by: 'system', at });
    }
  });

  test('is not told to a credential that was never issued', async () => {
    const { id } = await someone();
    const [jwt, opaque, cookie] = [
      await issue(id, 'bearer'),
      await issue(id, 'opaque'),
      await issue(id, 'cookie'),
    ];
    await call('POST', '/v1/admin/logout', { bearer: SERVICE_KEY, body: { scope: 'user', user_id: id } });
    for (const issued of [jwt, opaque, cookie]) expect(await why(issued)).toBeDefined();
    const token = jwt.credential.bearer ?? '';
    const [head = '', payload = '', signature = ''] = token.split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const forge = (change: object): string =>
      Buffer.from(JSON.stringify({ ...claims, ...change })).toString('base64url');
    const session = opaque.credential.bearer ?? '';
    const secret = cookie.credential.cookie ?? '';
    const nothing: CallOptions[] = [
      {},
      { bearer: 'x' },
      // The session is real, the signature is not.
      { bearer: `${head}.${forge({ iat: claims.iat - 1 })}.${signature}` },
      { bearer: `${head}.${forge({})}.${'A'.repeat(signature.length)}` },
      { bearer: `${head}.${forge({ exp: claims.exp + 3600 })}.${signature}` },
      { bearer: `sess_${'A'.repeat(43)}` },
      // The right secret as another kind.
      { bearer: `sess_${secret.slice(3)}` },
      { cookie: `cs_${session.slice(5)}` },
      { bearer: `1|${session.slice(5)}` },
      { bearer: jwt.sid },
    ];
    for (const credential of nothing) {
      const { status, json, text } = await call('GET', '/v1/session', credential);
      expect([credential, status, json.ended, text.includes(jwt.sid)]).toEqual([
        credential,
        401,
        undefined,
        false,
      ]);
    }
    for (const refresh_token of ['x', `rt_${'A'.repeat(43)}`, token, session, secret]) {
      const { status, json } = await call('POST', '/v1/refresh', { body: { refresh_token } });
      expect([status, json.ended]).toEqual([401, undefined]);
    }
  });

  // The embedded database's bridge does not outlive such a fault.
  test.runIf(routeBackend() === 'postgres')(
    'that cannot be looked up does not change the refusal',
    async () => {
      const { id } = await someone();
      const issued = await issue(id, 'opaque');
      await call('POST', '/v1/logout', issued.credential);
      await place.rows('alter table events rename to away');
      try {
        expect(await why(issued)).toBeUndefined();
      } finally {
        await place.rows('alter table away rename to events');
      }
      expect(await why(issued)).toBeDefined();
    },
  );
});
