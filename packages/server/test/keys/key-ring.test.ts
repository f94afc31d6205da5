import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { opened } from '../http/logins.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { withClient } from '../services/postgres.ts';
import {
  type Caller,
  migrated,
  openAuthority,
  reopenAuthority,
  SERVICE_KEY,
  type TestAuthority,
} from '../support.ts';
import { createPublicKey, verify } from 'node:crypto';

const KEY = 'a key of the tests, with 32 and more characters';
const PUBLISH_SECONDS = 600;
/** Access tokens live 300 s, and a minute is added for clocks. */
const KEEP_SECONDS = 360;

const headerOf = (token: string): { kid: string } =>
  JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as { kid: string };

describe('rotation', () => {
  let on: TestAuthority;
  let call: Caller;
  let ahead = 0;
  beforeAll(async () => {
    on = await openAuthority('embedded', {}, { system: { now: () => new Date(Date.now() + ahead * 1000) } });
    call = on.call;
  });
  afterAll(() => on.close());

  const published = async (): Promise<string[]> =>
    ((await call('GET', '/.well-known/jwks.json')).json.keys as { kid: string }[]).map((key) => key.kid);
  const states = async (): Promise<Record<string, string>> => {
    const { json } = await call('GET', '/v1/admin/keys', { bearer: SERVICE_KEY });
    return Object.fromEntries(
      (json.keys as { kid: string; state: string }[]).map((key) => [key.kid, key.state]),
    );
  };
  const check = async (bearer: string): Promise<number> =>
    (await call('GET', '/v1/check', { bearer })).status;
  /** A check that memory cannot answer: another route has not seen the text, nor has this second's memory. */
  const fresh = () => opened(call, 2);

  test('publishes a key before it signs, and keeps it after', async () => {
    const first = headerOf((await fresh()).bearer).kid;
    expect(await published()).toEqual([first]);
    const rotated = await call('POST', '/v1/admin/keys/rotate', { bearer: SERVICE_KEY });
    expect(rotated.status).toBe(200);
    const second = (await published()).find((kid) => kid !== first) ?? '';
    expect(await published()).toEqual([first, second]);
    expect(await states()).toEqual({ [first]: 'signing', [second]: 'published' });

    // Up to the last second of the time to publish the first one signs.
    ahead = PUBLISH_SECONDS - 5;
    const last = await fresh();
    expect(headerOf(last.bearer).kid).toBe(first);

    ahead = PUBLISH_SECONDS + 1;
    expect(headerOf((await fresh()).bearer).kid).toBe(second);
    expect(await states()).toEqual({ [first]: 'kept', [second]: 'signing' });
    expect(await published()).toEqual([first, second]);
    expect(await check(last.bearer)).toBe(200);

    // The last token of the first key lives out its life.
    ahead = PUBLISH_SECONDS - 5 + 299;
    expect(await check(last.bearer)).toBe(200);
    expect(await published()).toContain(first);

    ahead = PUBLISH_SECONDS + KEEP_SECONDS + 1;
    expect(await states()).toEqual({ [first]: 'retired', [second]: 'signing' });
    expect(await published()).toEqual([second]);
    expect(await check(last.bearer)).toBe(401);
  });

  test('two rotations at once leave one signing key, and lose no token', async () => {
    const before = await fresh();
    await Promise.all([1, 2].map(() => call('POST', '/v1/admin/keys/rotate', { bearer: SERVICE_KEY })));
    ahead += PUBLISH_SECONDS + 1;
    const after = await fresh();
    expect(Object.values(await states()).filter((state) => state === 'signing')).toHaveLength(1);
    expect(await check(after.bearer)).toBe(200);
    expect(before.bearer).not.toBe(after.bearer);
  });

  test('the log has the rotation with its actor', async () => {
    const { json } = await call('GET', '/v1/admin/events?type=keys_rotated', { bearer: SERVICE_KEY });
    expect(json.events[0]).toMatchObject({
      type: 'keys_rotated',
      actor: 'service',
      details: { kids: [expect.any(String)] },
    });
    expect(JSON.stringify(json)).not.toMatch(/"d"|private/);
  });
});

test('the key set has no private part, and is enough to verify', async () => {
  const clients = { ed: { algorithm: 'EdDSA' }, es: { algorithm: 'ES256' }, rs: { algorithm: 'RS256' } };
  const on = await openAuthority('embedded', { CURFEW_CLIENTS: JSON.stringify(clients) });
  try {
    const { json, headers } = await on.call('GET', '/.well-known/jwks.json');
    expect(headers.get('cache-control')).toBe('public, max-age=300');
    const members: Record<string, string[]> = {
      EdDSA: ['alg', 'crv', 'kid', 'kty', 'use', 'x'],
      ES256: ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'],
      RS256: ['alg', 'e', 'kid', 'kty', 'n', 'use'],
    };
    expect(json.keys.map((key: { alg: string }) => key.alg).sort()).toEqual(['ES256', 'EdDSA', 'RS256']);
    for (const key of json.keys) expect(Object.keys(key).sort()).toEqual(members[key.alg]);
    expect(new Set(json.keys.map((key: { kid: string }) => key.kid)).size).toBe(3);
    for (const clientId of ['ed', 'es', 'rs']) {
      const { bearer } = await opened(on.call, 2, { client_id: clientId });
      const jwk = json.keys.find((key: { kid: string }) => key.kid === headerOf(bearer).kid);
      const dot = bearer.lastIndexOf('.');
      const key = createPublicKey({ key: jwk, format: 'jwk' });
      const how = { key, dsaEncoding: 'ieee-p1363' as const };
      const signature = Buffer.from(bearer.slice(dot + 1), 'base64url');
      expect(
        verify(jwk.alg === 'EdDSA' ? null : 'sha256', Buffer.from(bearer.slice(0, dot)), how, signature),
      ).toBe(true);
    }
  } finally {
    await on.close();
  }
});

describe.runIf(hasPostgres())('in the database', () => {
  test('keys are sealed with CURFEW_KEY, and a start with another key or none is refused', async () => {
    const url = await freshDatabase(migrated);
    const on = await reopenAuthority({ DATABASE_URL: url, CURFEW_KEY: KEY });
    const { bearer } = await opened(on.call, 2);
    await on.close();
    const { rows } = await withClient(url, (client) =>
      client.query<{ private_key: Buffer; sealed: boolean; public_jwk: object }>(
        'select * from signing_keys',
      ),
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]?.sealed).toBe(true);
    // PKCS #8 of Ed25519 begins with this; sealed it is noise.
    expect(rows[0]?.private_key.includes(Buffer.from('302e020100300506032b6570', 'hex'))).toBe(false);
    expect(rows[0]?.public_jwk).not.toHaveProperty('d');

    await expect(reopenAuthority({ DATABASE_URL: url, CURFEW_KEY: `${KEY}!` })).rejects.toThrow(
      expect.objectContaining({ name: 'WrongKey', message: expect.stringContaining('CURFEW_KEY') }),
    );
    await expect(reopenAuthority({ DATABASE_URL: url })).rejects.toThrow(
      expect.objectContaining({ name: 'WrongKey' }),
    );
    const again = await reopenAuthority({ DATABASE_URL: url, CURFEW_KEY: KEY });
    expect((await again.call('GET', '/v1/check', { bearer })).status).toBe(200);
    await again.close();
  });

  test('with the other key known, old keys open, and new ones are sealed under the new one', async () => {
    const url = await freshDatabase(migrated);
    const changed = `${KEY}, changed`;
    const before = await reopenAuthority({ DATABASE_URL: url, CURFEW_KEY: KEY });
    const { bearer } = await opened(before.call, 2);
    await before.close();
    const on = await reopenAuthority({ DATABASE_URL: url, CURFEW_KEY: changed, CURFEW_KEY_PREVIOUS: KEY });
    expect((await on.call('GET', '/v1/check', { bearer })).status).toBe(200);
    await on.call('POST', '/v1/admin/keys/rotate', { bearer: SERVICE_KEY });
    await on.close();
    await expect(reopenAuthority({ DATABASE_URL: url, CURFEW_KEY: changed })).rejects.toThrow(
      expect.objectContaining({ name: 'WrongKey' }),
    );
    await withClient(url, (client) =>
      client.query('delete from signing_keys where signs_from = (select min(signs_from) from signing_keys)'),
    );
    await (await reopenAuthority({ DATABASE_URL: url, CURFEW_KEY: changed })).close();
    await expect(reopenAuthority({ DATABASE_URL: url, CURFEW_KEY_PREVIOUS: changed })).rejects.toThrow(
      'CURFEW_KEY_PREVIOUS: requires CURFEW_KEY. Set both.',
    );
  });

  test('a sealed key under another name does not open', async () => {
    const url = await freshDatabase(migrated);
    await (await reopenAuthority({ DATABASE_URL: url, CURFEW_KEY: KEY })).close();
    await withClient(url, (client) => client.query(`update signing_keys set kid = 'another'`));
    await expect(reopenAuthority({ DATABASE_URL: url, CURFEW_KEY: KEY })).rejects.toThrow(
      expect.objectContaining({ name: 'WrongKey' }),
    );
  });

  test('nodes share keys: one rotates, the others verify at once, and all sign with the new key after a while', async () => {
    let ahead = 0;
    const system = { now: () => new Date(Date.now() + ahead * 1000) };
    const url = await freshDatabase(migrated);
    // A life that the clock of this test does not end, and a lease that its jump does not break.
    const settings = { DATABASE_URL: url, CURFEW_KEY: KEY, CURFEW_KEY_PUBLISH_SECONDS: '0' };
    const a = await reopenAuthority(settings, { system });
    const b = await reopenAuthority(settings, { system });
    try {
      const before = headerOf((await opened(b.call, 2)).bearer).kid;
      expect(headerOf((await opened(a.call, 2)).bearer).kid).toBe(before);
      await a.call('POST', '/v1/admin/keys/rotate', { bearer: SERVICE_KEY });
      ahead = 2;
      const { bearer } = await opened(a.call, 2);
      expect(headerOf(bearer).kid).not.toBe(before);
      // An unknown key id makes a node look again, once a second at most.
      await expect.poll(async () => (await b.call('GET', '/v1/check', { bearer })).status).toBe(200);
      expect(headerOf((await opened(b.call, 2)).bearer).kid).toBe(headerOf(bearer).kid);
    } finally {
      await a.close();
      await b.close();
    }
  });
});
