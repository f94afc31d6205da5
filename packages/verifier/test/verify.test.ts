/** A connected verifier's answers to every kind of credential, against a real authority. */
import { createPrivateKey, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  cookieLogin,
  newUser,
  opened,
  sessionTokenLogin,
  tokenLogin,
} from '../../server/test/http/logins.ts';
import { ISSUER, SERVICE_KEY } from '../../server/test/support.ts';
import type { Verifier } from '../src/index.ts';
import { openStage, type Stage } from './door.ts';

const LEASE_MS = 2500;

const CLIENTS = {
  curve: { algorithm: 'ES256' },
  rivest: { algorithm: 'RS256' },
  elsewhere: { audience: 'https://elsewhere.example' },
};

let stage: Stage;
let verifier: Verifier;
/** How far the authority's clock is ahead; never set back. */
let ahead = 0;
beforeAll(async () => {
  stage = await openStage(
    {
      CURFEW_CLIENTS: JSON.stringify(CLIENTS),
      // No test waits for its end here, and a busy machine must not lose it.
      CURFEW_LEASE_MS: String(LEASE_MS),
    },
    { now: () => new Date(Date.now() + ahead) },
  );
  verifier = await stage.connect();
});
afterAll(() => stage.close());
afterEach(() => {
  stage.door.onQuestion = null;
});

const logOut = async (bearer: string, body: object = {}): Promise<void> => {
  const { status, json } = await stage.call('POST', '/v1/logout', {
    bearer,
    body: { scope: 'this', ...body },
  });
  expect([status, json.confirmed]).toEqual([200, true]);
};
const endOf = async (body: object): Promise<void> => {
  const { status, text } = await stage.call('POST', '/v1/admin/logout', { bearer: SERVICE_KEY, body });
  expect([status, text]).toEqual([200, expect.any(String)]);
};

describe('a token', () => {
  test.each(['default', 'curve', 'rivest'])('of %s is judged here, without a question', async (client_id) => {
    const { bearer, sid } = await opened(stage.call, 2, { client_id });
    const before = stage.door.asked;
    expect(verifier.verifyNow(bearer)).toBeNull();
    const verified = await verifier.verify(bearer);
    expect(verified).toEqual({
      ok: true,
      by: 'memory',
      session: {
        sid,
        subject: '2',
        clientId: client_id,
        deviceId: expect.any(String),
        born: expect.any(Number),
        login: null,
        tenant: 'default',
        externalId: null,
        externalIssuer: null,
        role: 'user',
        expiresAt: expect.any(Date),
      },
    });
    expect(verifier.verifyNow(bearer)).toBe(await verifier.verify(bearer));
    expect(stage.door.asked).toBe(before);

    await logOut(bearer);
    expect(verifier.verifyNow(bearer)).toMatchObject({ ok: false, reason: 'ended' });
    expect(await verifier.verify(bearer)).toMatchObject({ ok: false, reason: 'ended' });
    expect(stage.door.asked).toBe(before);
  });

  test('first presented after its session ended is refused here', async () => {
    const { bearer } = await opened(stage.call, 2);
    await logOut(bearer);
    const before = stage.door.asked;
    expect(await verifier.verify(bearer)).toEqual({ ok: false, reason: 'ended' });
    expect(stage.door.asked).toBe(before);
  });

  test('costs one signature for many checks at once', async () => {
    const { bearer } = await opened(stage.call, 2);
    const checks = await Promise.all(Array.from({ length: 50 }, () => verifier.verify(bearer)));
    // Each computation would have stored its own object.
    expect(new Set(checks).size).toBe(1);
    expect(checks[0]).toMatchObject({ ok: true, by: 'memory' });
  });

  test('is refused in every other spelling, also after it was accepted', async () => {
    const { bearer } = await opened(stage.call, 2, { client_id: 'curve' });
    expect(await verifier.verify(bearer)).toMatchObject({ ok: true });
    const before = stage.door.asked;
    const dot = bearer.lastIndexOf('.');
    const signature = Buffer.from(bearer.slice(dot + 1), 'base64url');
    const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
    const s = BigInt(`0x${signature.subarray(32).toString('hex')}`);
    const twin = Buffer.from((order - s).toString(16).padStart(64, '0'), 'hex');
    const spellings = {
      bad_signature: [
        `${bearer.slice(0, dot)}.${Buffer.concat([signature.subarray(0, 32), twin]).toString('base64url')}`,
      ],
      not_canonical: [
        `${bearer}=`,
        ` ${bearer}`,
        `${bearer}\n`,
        bearer.replace('.', '..'),
        unusedBit(bearer),
      ],
    };
    for (const [reason, texts] of Object.entries(spellings))
      for (const text of texts) expect(await verifier.verify(text)).toEqual({ ok: false, reason });
    expect(stage.door.asked).toBe(before);
  });

  test('for another audience is refused without a question', async () => {
    const { bearer } = await opened(stage.call, 2, { client_id: 'elsewhere' });
    const before = stage.door.asked;
    expect(await verifier.verify(bearer)).toEqual({ ok: false, reason: 'not_ours' });
    expect(stage.door.asked).toBe(before);
    const there = await stage.connect({ audience: ['https://elsewhere.example', 'https://other.example'] });
    expect(await there.verify(bearer)).toMatchObject({ ok: true, by: 'memory' });
  });

  test('that another issuer signed is refused', async () => {
    const { bearer } = await opened(stage.call, 2);
    const [head = '', claims = ''] = bearer.split('.');
    const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as { kid: string };
    const said = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, unknown>;
    const stranger = generateKeyPairSync('ed25519').privateKey;
    const forge = (more: object, key = stranger): Promise<string> =>
      new SignJWT(said)
        .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: header.kid, ...more })
        .sign(key);
    const before = stage.door.asked;
    expect(await verifier.verify(await forge({}))).toEqual({ ok: false, reason: 'bad_signature' });
    // The key's algorithm counts, not the header's.
    const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    expect(await verifier.verify(await forge({ alg: 'ES256' }, curve))).toMatchObject({
      reason: 'bad_signature',
    });
    for (const more of [{ typ: 'JWT' }, { jwk: {} }, { crit: ['exp'], exp: 1 }])
      expect(
        await verifier.verify(
          await forgeRaw({ alg: 'EdDSA', typ: 'at+jwt', kid: header.kid, ...more }, said),
        ),
      ).toEqual({
        ok: false,
        reason: 'not_canonical',
      });
    expect(stage.door.asked).toBe(before);
    // A key that was not named yet may be the authority's newest: it is asked, and knows better.
    expect(await verifier.verify(await forge({ kid: 'another' }))).toEqual({ ok: false, reason: 'unknown' });
    expect(stage.door.asked).toBe(before + 1);
  });

  test.each([
    ['the user', { scope: 'user' }],
    ['the device', { scope: 'device' }],
  ])('ends with %s', async (_name, { scope }) => {
    const user = await newUser(stage.call);
    const [device, other] = [randomUUID(), randomUUID()];
    const here = await opened(stage.call, user.id, { device: { id: device } });
    const there = await opened(stage.call, user.id, { device: { id: other } });
    for (const { bearer } of [here, there]) expect(await verifier.verify(bearer)).toMatchObject({ ok: true });
    if (scope === 'user') await endOf({ scope: 'users', user_ids: [user.id] });
    else await logOut(here.bearer, { scope: 'device', device });
    expect(verifier.verifyNow(here.bearer)).toMatchObject({ ok: false, reason: 'ended' });
    expect(verifier.verifyNow(there.bearer)?.ok).toBe(scope !== 'user');
    // Born after the cut: alive.
    const again = await opened(stage.call, user.id, { device: { id: device } });
    expect(await verifier.verify(again.bearer)).toMatchObject({ ok: true, by: 'memory' });
  });
});

describe('an opaque credential', () => {
  const kinds = [
    ['a session token', () => sessionTokenLogin(stage.call)],
    ['an access token of contract 003', async () => (await tokenLogin(stage.call)).bearer],
    ['a cookie', async () => (await cookieLogin(stage.call)).cookie],
  ] as const;

  test.each(kinds)('%s is asked about once, and refused at once after its logout', async (_name, logIn) => {
    const credential = await logIn();
    const before = stage.door.asked;
    const first = await verifier.verify(credential);
    expect(first).toMatchObject({ ok: true, by: 'authority', session: { subject: '2' } });
    const second = verifier.verifyNow(credential);
    expect(second).toEqual({ ...first, by: 'memory' });
    expect(stage.door.asked).toBe(before + 1);
    if (!first.ok) throw new Error('not reached');
    const { status } = await stage.call('DELETE', `/v1/sessions/${first.session.sid}`, {
      bearer: (await opened(stage.call, 2)).bearer,
    });
    expect(status).toBe(200);
    expect(verifier.verifyNow(credential)).toMatchObject({ ok: false, reason: 'ended' });
    expect(stage.door.asked).toBe(before + 1);
    // Forgotten here, and unknown there.
    expect(await verifier.verify(credential)).toMatchObject({ ok: false, reason: 'unknown' });
  });

  test('costs one question for many checks at once', async () => {
    const credential = await sessionTokenLogin(stage.call);
    const before = stage.door.asked;
    const checks = await Promise.all(Array.from({ length: 50 }, () => verifier.verify(credential)));
    expect(checks.every((one) => one.ok)).toBe(true);
    expect(stage.door.asked).toBe(before + 1);
  });

  test('that ends while the answer is under way is refused', async () => {
    const credential = await sessionTokenLogin(stage.call);
    // The authority has accepted it; the answer is under way while the session ends.
    const { text } = await stage.call('POST', '/oauth/introspect', {
      bearer: SERVICE_KEY,
      body: `token=${credential}`,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect(text).toContain('"active":true');
    const held = new Promise<() => void>((resolve) => {
      stage.door.onQuestion = (_req, res) => resolve(() => void res.writeHead(200).end(text));
    });
    const check = verifier.verify(credential);
    const release = await held;
    const { bearer } = await opened(stage.call, 2);
    await logOut(bearer, { scope: 'all' });
    release();
    expect(await check).toEqual({ ok: false, reason: 'ended' });
  });

  test('that is unknown or malformed is refused', async () => {
    expect(await verifier.verify(`sess_${'A'.repeat(43)}`)).toEqual({ ok: false, reason: 'unknown' });
    const before = stage.door.asked;
    const { refresh } = await opened(stage.call, 2);
    for (const text of [`sess_${'A'.repeat(42)}B`, 'x', `0|${'A'.repeat(43)}`, refresh, '|', '__proto__'])
      expect([text, await verifier.verify(text)]).toEqual([text, { ok: false, reason: 'not_canonical' }]);
    for (const nothing of ['', null, undefined])
      expect(await verifier.verify(nothing)).toEqual({ ok: false, reason: 'no_credential' });
    expect(stage.door.asked).toBe(before);
  });
});

test('that is over costs few questions when its client continues to use it', async () => {
  const credential = await sessionTokenLogin(stage.call);
  expect(await verifier.verify(credential)).toMatchObject({ ok: true });
  const { bearer } = await opened(stage.call, 2);
  await logOut(bearer, { scope: 'all' });
  expect(await verifier.verify(credential)).toEqual({ ok: false, reason: 'ended' });
  const before = stage.door.asked;
  for (let i = 0; i < 20; i++)
    expect(await verifier.verify(credential)).toEqual({ ok: false, reason: 'unknown' });
  expect(verifier.verifyNow(credential)).toEqual({ ok: false, reason: 'unknown' });
  // On a machine that is held up, a second may pass on the way.
  expect(stage.door.asked - before).toBeGreaterThan(0);
  expect(stage.door.asked - before).toBeLessThan(5);
});

describe('an answer that cannot be trusted', () => {
  const answer = (status: number, body: unknown) => (): void => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    stage.door.onQuestion = (_req, res) => void res.writeHead(status).end(text);
  };
  const seconds = Math.floor(Date.now() / 1000);
  const yes = (more: object): object => ({
    active: true,
    sid: randomUUID(),
    sub: '2',
    client_id: 'default',
    device_id: 'd',
    born: 1_000_000,
    role: 'user',
    iat: seconds,
    exp: seconds + 60,
    iss: ISSUER,
    ...more,
  });
  test.each([
    ['an error', answer(500, yes({})), 'unavailable'],
    ['no JSON', answer(200, 'active'), 'unavailable'],
    ['nothing', answer(200, ''), 'unavailable'],
    ['null', answer(200, 'null'), 'unavailable'],
    ['a yes without a session', answer(200, { active: true }), 'unavailable'],
    ['a yes that is none', answer(200, yes({ active: 'true' })), 'unavailable'],
    ['a yes for a session that is no UUID', answer(200, yes({ sid: 'x' })), 'unavailable'],
    ['a yes for nobody', answer(200, yes({ sub: '' })), 'unavailable'],
    ['a yes with a role that is no text', answer(200, yes({ role: 1 })), 'unavailable'],
    ['a yes with a tenant that is no text', answer(200, yes({ tenant: 7 })), 'unavailable'],
    ['a yes without a place in the order', answer(200, yes({ born: null })), 'unavailable'],
    ['a yes of another issuer', answer(200, yes({ iss: 'https://elsewhere.example' })), 'unknown'],
    ['a yes for another audience', answer(200, yes({ aud: 'https://elsewhere.example' })), 'unknown'],
    ['a yes for an audience that is not said', answer(200, yes({})), 'unknown'],
    ['a redirect', answer(302, yes({})), 'unavailable'],
    ['one that is too long', answer(200, yes({ more: 'x'.repeat(100_000) })), 'unavailable'],
  ])('%s', async (_name, arrange, reason) => {
    const credential = await sessionTokenLogin(stage.call);
    arrange();
    expect(await verifier.verify(credential)).toEqual({ ok: false, reason });
    stage.door.onQuestion = null;
    expect(await verifier.verify(credential)).toMatchObject({ ok: true });
  });

  test('a correct answer is accepted', async () => {
    answer(200, yes({ aud: ISSUER }))();
    expect(await verifier.verify(`sess_${'E'.repeat(43)}`)).toMatchObject({ ok: true, by: 'authority' });
  });
});

test('new keys of the authority arrive over the feed', async () => {
  const keys = (): string => /curfew_verifier_keys (\d+)/.exec(verifier.metrics())?.[1] ?? '';
  const before = Number(keys());
  await stage.call('POST', '/v1/admin/keys/rotate', { bearer: SERVICE_KEY });
  await expect.poll(() => Number(keys())).toBeGreaterThan(before);
  const { bearer } = await opened(stage.call, 2);
  expect(await verifier.verify(bearer)).toMatchObject({ ok: true, by: 'memory' });
});

test('uses are reported to the authority', async () => {
  const user = await newUser(stage.call);
  const [used, asking] = [await opened(stage.call, user.id), await opened(stage.call, user.id)];
  const lastSeen = async (): Promise<{ seen: number; created: number }> => {
    const { json } = await stage.call('GET', '/v1/sessions', { bearer: asking.bearer });
    const one = json.sessions.find((session: { id: string }) => session.id === used.sid);
    return { seen: Date.parse(one.last_seen_at), created: Date.parse(one.created_at) };
  };
  ahead += 60_000;
  const other = await stage.connect();
  // Judged here: the authority hears nothing of it but by the feed.
  expect(await other.verify(used.bearer)).toMatchObject({ ok: true, by: 'memory' });
  // Activity is shown to the minute, and never before the login.
  const before = await lastSeen();
  const minute = Math.floor(before.created / 60_000) * 60_000;
  expect(before.seen).toBe(before.created);
  // Closing sends the remaining activity.
  await other.close();
  expect(await other.verify(used.bearer)).toEqual({ ok: false, reason: 'unavailable' });
  await expect.poll(async () => (await lastSeen()).seen).toBeGreaterThanOrEqual(minute + 60_000);
});

test('memory is bounded', async () => {
  const small = await stage.connect({ capacity: 3 });
  const sessions = await Promise.all(Array.from({ length: 8 }, () => opened(stage.call, 2)));
  for (const { bearer } of sessions) expect(await small.verify(bearer)).toMatchObject({ ok: true });
  expect(small.metrics()).toContain('curfew_verifier_credentials 3\n');
});

test('metrics count checks and questions', async () => {
  const other = await stage.connect();
  const { bearer } = await opened(stage.call, 2);
  for (let i = 0; i < 3; i++) await other.verify(bearer);
  await other.verify('x');
  await other.verify(await sessionTokenLogin(stage.call));
  const text = other.metrics();
  for (const line of [
    'curfew_verifier_fresh 1',
    'curfew_verifier_connected 1',
    'curfew_verifier_connections_total 1',
    'curfew_verifier_accepted_total{by="memory"} 3',
    'curfew_verifier_accepted_total{by="authority"} 1',
    'curfew_verifier_refused_total{reason="not_canonical"} 1',
    'curfew_verifier_asked_total{says="active"} 1',
  ])
    expect(text).toContain(`${line}\n`);
  expect(other.freshness).toMatchObject({ state: 'fresh', leaseMs: LEASE_MS, node: expect.any(String) });
  expect(other.freshness.ageMs).toBeLessThan(LEASE_MS);
});

function unusedBit(token: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return token.slice(0, -1) + alphabet[alphabet.indexOf(token.at(-1) ?? '') ^ 1];
}

/** Signed by an unknown key, with a header that jose itself would not write. */
async function forgeRaw(header: object, claims: object): Promise<string> {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${encode(header)}.${encode(claims)}`;
  const key = createPrivateKey(
    generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }),
  );
  return `${text}.${sign(null, Buffer.from(text), key).toString('base64url')}`;
}
