/** One signed token has many spellings; exactly one of them is a credential. */
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from 'node:crypto';
import { base64url, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { opened } from '../http/logins.ts';
import { hasPostgres } from '../services/fresh-database.ts';
import { withClient } from '../services/postgres.ts';
import { type Caller, ISSUER, openAuthority, type TestAuthority } from '../support.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const CLIENTS = {
  edwards: { algorithm: 'EdDSA', audience: 'https://edwards.example' },
  curve: { algorithm: 'ES256', audience: 'https://curve.example' },
  rivest: { algorithm: 'RS256', audience: 'https://rivest.example' },
};
const ALGORITHMS = [
  ['edwards', 'EdDSA'],
  ['curve', 'ES256'],
  ['rivest', 'RS256'],
] as const;

let on: TestAuthority;
let call: Caller;
let ahead = 0;
beforeAll(async () => {
  on = await openAuthority(
    hasPostgres() ? 'postgres' : 'embedded',
    { CURFEW_CLIENTS: JSON.stringify(CLIENTS) },
    { system: { now: () => new Date(Date.now() + ahead) } },
  );
  call = on.call;
});
afterAll(() => on.close());

const DOORS = [
  ['GET', '/v1/check'],
  ['GET', '/v1/session'],
  ['GET', '/auth/profile'],
  ['GET', '/api/users/2'],
  ['GET', '/api/v1/auth/status'],
  ['POST', '/auth/logout'],
  ['POST', '/api/v1/auth/logout'],
  ['POST', '/v1/logout'],
  ['GET', '/v1/admin/users'],
] as const;

/** Every route refuses the text with 401, as it refuses a missing credential. */
async function expectRefused(
  text: string,
  name: string,
  doors: readonly (readonly [string, string])[] = DOORS,
): Promise<void> {
  for (const [method, path] of doors) {
    const { status } = await call(method, path, { headers: { authorization: `Bearer ${text}` } });
    expect([name, method, path, status]).toEqual([name, method, path, 401]);
  }
}

interface Parts {
  header: Record<string, unknown>;
  claims: Record<string, unknown>;
}
const partsOf = (token: string): Parts => {
  const [header = '', claims = ''] = token.split('.');
  const read = (part: string) =>
    JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;
  return { header: read(header), claims: read(claims) };
};
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** The base64url text with the unused bits of its last character changed; null when it has none. */
function unusedBits(part: string): string | null {
  if (part.length % 4 === 0) return null;
  const last = ALPHABET.indexOf(part.at(-1) ?? '');
  return part.slice(0, -1) + ALPHABET[last ^ 1];
}

function respellings(token: string): [string, string][] {
  const parts = token.split('.');
  const [header = '', claims = '', signature = ''] = parts;
  const list: [string, string][] = [];
  parts.forEach((part, i) => {
    const put = (name: string, text: string): void => {
      list.push([`${name}, part ${i}`, parts.map((other, j) => (j === i ? text : other)).join('.')]);
    };
    const bits = unusedBits(part);
    if (bits) put('unused bits', bits);
    put('padding', `${part}=`);
    put('two of padding', `${part}==`);
    put('a newline', `${part}\n`.replace('\n', '%0A'));
    put(
      'a slash of plain base64',
      part.replaceAll('-', '+').replaceAll('_', '/') + (/[-_]/.test(part) ? '' : '+'),
    );
    put('another character', `${part.slice(0, 10)}*${part.slice(10)}`);
    put('one character more', `${part}A`);
    put('one less', part.slice(0, -1));
    put('nothing', '');
  });
  list.push(
    ['a fourth part', `${token}.${signature}`],
    ['a dot at the end', `${token}.`],
    ['a dot in front', `.${token}`],
    ['a tab in front', `\t${token}`],
    ['a blank and a tab in front', ` \t${token}`],
    ['a blank within', `${header}. ${claims}.${signature}`],
    ['quotes', `"${token}"`],
    [
      'a header with blanks in its JSON',
      `${Buffer.from(` ${JSON.stringify(partsOf(token).header)}`).toString('base64url')}.${claims}.${signature}`,
    ],
    ['the JSON serialization', JSON.stringify({ protected: header, payload: claims, signature })],
    ['longer than 4096', `${token}${'A'.repeat(4096)}`],
  );
  return list;
}

describe.each(ALGORITHMS)('application %s, %s', (clientId, alg) => {
  const issue = async (): Promise<string> => (await opened(call, 2, { client_id: clientId })).bearer;

  test('is accepted, and has the claims of RFC 9068', async () => {
    const token = await issue();
    const { header, claims } = partsOf(token);
    expect(header).toEqual({ alg, typ: 'at+jwt', kid: expect.any(String) });
    expect(claims).toEqual({
      iss: ISSUER,
      aud: CLIENTS[clientId].audience,
      sub: '2',
      sid: expect.any(String),
      client_id: clientId,
      device_id: expect.any(String),
      tenant: 'default',
      role: 'user',
      born: expect.any(Number),
      epoch: expect.any(String),
      iat: expect.any(Number),
      exp: Number(claims['iat']) + 300,
      jti: expect.any(String),
    });
    const { status, headers } = await call('GET', '/v1/check', { bearer: token });
    expect([status, headers.get('curfew-client')]).toEqual([200, clientId]);
  });

  test('is refused in every other spelling, before and after it was accepted', async () => {
    const token = await issue();
    const list = respellings(token);
    expect(list.length).toBeGreaterThan(30);
    for (const [name, text] of list) await expectRefused(text, name, DOORS.slice(0, 1));
    expect((await call('GET', '/v1/check', { bearer: token })).status).toBe(200);
    for (const [name, text] of list) await expectRefused(text, name);
    expect((await call('GET', '/v1/check', { bearer: token })).status).toBe(200);
  });

  test('every other token of the same header and claims is refused', async () => {
    const token = await issue();
    const [header = '', claims = '', signature = ''] = token.split('.');
    const forged: [string, string][] = [];
    const sealed = (name: string, change: object, text = signature): void => {
      forged.push([name, `${encode({ ...partsOf(token).header, ...change })}.${claims}.${text}`]);
    };
    for (const none of ['none', 'None', 'NONE', 'nOnE']) {
      sealed(`alg ${none}`, { alg: none }, '');
      sealed(`alg ${none} with the signature`, { alg: none });
    }
    for (const other of [
      'EdDSA',
      'Ed25519',
      'ES256',
      'RS256',
      'RS512',
      'PS256',
      'HS256',
      'HS512',
      'ES256K',
      '',
      null,
      5,
      ['EdDSA'],
    ])
      if (other !== alg) sealed(`alg ${JSON.stringify(other)}`, { alg: other });
    const { kid, jwk } = await publicKeyOf(alg);
    const pem = jwk.export({ format: 'pem', type: 'spki' }) as string;
    const input = (change: object): string => `${encode({ ...partsOf(token).header, ...change })}.${claims}`;
    for (const [name, secret] of [
      ['PEM', pem],
      ['PEM without its last line break', pem.trim()],
      ['DER', jwk.export({ format: 'der', type: 'spki' })],
      ['JWK', JSON.stringify(jwk.export({ format: 'jwk' }))],
      ['kid', kid],
      ['nothing', ''],
    ] as const) {
      const text = input({ alg: 'HS256' });
      forged.push([
        `HS256 with the public key, ${name}`,
        `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`,
      ]);
    }
    forged.push(
      ['the signature of another token', `${header}.${claims}.${(await issue()).split('.')[2]}`],
      ['another user', `${header}.${encode({ ...partsOf(token).claims, sub: '1' })}.${signature}`],
    );
    for (const [name, text] of forged) await expectRefused(text, name);
    expect((await call('GET', '/v1/check', { bearer: token })).status).toBe(200);
  });

  test('a foreign key is refused, in every way to present it', async () => {
    const token = await issue();
    const { header, claims } = partsOf(token);
    const foreign = keyPair(alg);
    const jwk = foreign.publicKey.export({ format: 'jwk' });
    const forge = (change: object): string => {
      const text = `${encode({ ...header, ...change })}.${encode(claims)}`;
      return `${text}.${signText(alg, foreign.privateKey, text)}`;
    };
    const offers: [string, object][] = [
      ['under our kid', {}],
      ['as jwk', { jwk }],
      ['as jwk under another kid', { jwk, kid: 'mine' }],
      ['as jku', { jku: 'https://evil.test/jwks.json', kid: 'mine' }],
      ['as x5u', { x5u: 'https://evil.test/x5.pem' }],
      ['as x5c', { x5c: ['MIIB'] }],
      ['under an unknown kid', { kid: 'unknown' }],
      ['under a kid that looks like SQL', { kid: "' or 1=1 --" }],
      ['under a kid that looks like a path', { kid: '../../../../dev/null' }],
      ['under a kid of the language', { kid: '__proto__' }],
      ['under a kid that is no text', { kid: 7 }],
      ['without a kid', { kid: undefined }],
    ];
    for (const [name, change] of offers) await expectRefused(forge(change), name, DOORS.slice(0, 3));
  });
});

test('the twin of an ES256 signature is refused', async () => {
  const { bearer } = await opened(call, 2, { client_id: 'curve' });
  const dot = bearer.lastIndexOf('.');
  const signature = base64url.decode(bearer.slice(dot + 1));
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).toString('hex')}`);
  const twin = Buffer.from((order - s).toString(16).padStart(64, '0'), 'hex');
  const text = `${bearer.slice(0, dot)}.${base64url.encode(Buffer.concat([signature.subarray(0, 32), twin]))}`;
  await expectRefused(text, 'the twin');
  expect((await call('GET', '/v1/check', { bearer })).status).toBe(200);
  await expectRefused(text, 'the twin, after the other was accepted');
});

test('a hundred ES256 tokens all have the canonical spelling', async () => {
  for (let i = 0; i < 100; i++) {
    const { bearer } = await opened(call, 2, { client_id: 'curve' });
    const s = base64url.decode(bearer.slice(bearer.lastIndexOf('.') + 1)).subarray(32);
    expect(s[0]).toBeLessThan(0x80);
    // Loaded anew by a door that has not seen it.
    expect((await call('GET', '/v1/session', { bearer })).status).toBe(200);
  }
});

test('an EdDSA signature with the order added to S is refused', async () => {
  const { bearer } = await opened(call, 2, { client_id: 'edwards' });
  const dot = bearer.lastIndexOf('.');
  const signature = Buffer.from(bearer.slice(dot + 1), 'base64url');
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + order;
  const larger = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse();
  await expectRefused(
    `${bearer.slice(0, dot)}.${Buffer.concat([signature.subarray(0, 32), larger]).toString('base64url')}`,
    'S + order',
  );
});

describe.runIf(hasPostgres())('signed by the authority’s key, and no access token', () => {
  // Tokens that only the holder of the private key could make: the claims are judged too.
  const strange: [string, { header?: object; claims?: object }][] = [
    ['another typ', { header: { typ: 'JWT' } }],
    ['the long typ', { header: { typ: 'application/at+jwt' } }],
    ['no typ', { header: { typ: undefined } }],
    ['a logout token', { header: { typ: 'logout+jwt' } }],
    ['crit', { header: { crit: ['exp'], exp: 1 } }],
    ['an unknown header', { header: { zip: 'DEF' } }],
    ['another issuer', { claims: { iss: 'https://evil.test' } }],
    ['no issuer', { claims: { iss: undefined } }],
    ['the issuer with a slash', { claims: { iss: `${ISSUER}/` } }],
    ['another audience', { claims: { aud: 'https://evil.test' } }],
    ['no audience', { claims: { aud: undefined } }],
    ['a list of audiences', { claims: { aud: ['https://edwards.example'] } }],
    ["another application's audience", { claims: { aud: 'https://curve.example' } }],
    ['another application', { claims: { client_id: 'curve' } }],
    ['an application that is none', { claims: { client_id: 'gone' } }],
    ['another user', { claims: { sub: '1' } }],
    ['the user as a number', { claims: { sub: 2 } }],
    ['a leading zero', { claims: { sub: '02' } }],
    ['another birth', { claims: { born: 1 } }],
    ['no birth', { claims: { born: undefined } }],
    ['a birth that is a text', { claims: { born: '5' } }],
    ['another session', { claims: { sid: '019a9f2c-5f6e-7c3a-9d52-8f2b7c1e4a60' } }],
    ['a session that is no UUID', { claims: { sid: 'x' } }],
    ['no jti', { claims: { jti: undefined } }],
    ['no end', { claims: { exp: undefined } }],
    ['an end that is over', { claims: { exp: 1_700_000_000 } }],
    ['an end beyond numbers', { claims: { exp: 1e300 } }],
    ['not yet', { claims: { nbf: 4_000_000_000 } }],
  ];

  test.each(strange)('%s', async (name, { header, claims }) => {
    const { bearer } = await opened(call, 2, { client_id: 'edwards' });
    const parts = partsOf(bearer);
    const own = await ownPrivateKey(String(parts.header['kid']));
    const make = (head: object, body: object): Promise<string> => {
      const clean = (value: object): Record<string, unknown> =>
        JSON.parse(JSON.stringify(value)) as Record<string, unknown>;
      return new SignJWT(clean({ ...parts.claims, ...body }))
        .setProtectedHeader(clean({ ...parts.header, ...head }) as { alg: string })
        .sign(own, { crit: { exp: true } } as never);
    };
    // The same made without the change is accepted, so it is the change that is refused.
    expect((await call('GET', '/v1/check', { bearer: await make({}, {}) })).status).toBe(200);
    await expectRefused(await make(header ?? {}, claims ?? {}), name, DOORS.slice(0, 3));
  });
});

test('an expired token is refused everywhere, though its session is alive', async () => {
  const { bearer, refresh } = await opened(call, 2, { client_id: 'edwards' });
  expect((await call('GET', '/v1/check', { bearer })).status).toBe(200);
  ahead = 300_000;
  await expectRefused(bearer, 'run out');
  const next = await call('POST', '/v1/refresh', { body: { refresh_token: refresh } });
  expect(next.status).toBe(200);
  ahead = 0;
});

test('any text as a token gives 401, never 5xx', async () => {
  const texts = [
    '.',
    '..',
    '...',
    'a.b.c',
    'e.e.e',
    'eyJ.e.e',
    'eyJhbGciOiJub25lIn0..',
    'eyJh.AAAAA.AAAAA',
    'eyJ9.e30.',
    '\u00ff.\u00ff.\u00ff',
    'eyJ'.repeat(1000),
    `eyJ${'.'.repeat(4000)}`,
    'null',
    'undefined',
    '{}',
    'sess_',
    '|',
    '1|',
    '1|1',
    'Bearer',
    `eyJ${Buffer.from('[]').toString('base64url')}.e30.AA`,
    `${Buffer.from('{"a":').toString('base64url')}.e30.AA`,
  ];
  for (const text of texts) await expectRefused(text, text.slice(0, 30));
});

async function publicKeyOf(alg: string): Promise<{ kid: string; jwk: KeyObject }> {
  const { json } = await call('GET', '/.well-known/jwks.json');
  const key = json.keys.find((one: { alg: string }) => one.alg === alg);
  return { kid: key.kid, jwk: createPublicKey({ key, format: 'jwk' }) };
}

function keyPair(alg: string): { publicKey: KeyObject; privateKey: KeyObject } {
  if (alg === 'RS256') return generateKeyPairSync('rsa', { modulusLength: 2048 });
  return alg === 'ES256'
    ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
    : generateKeyPairSync('ed25519');
}

function signText(alg: string, key: KeyObject, text: string): string {
  const how = alg === 'ES256' ? { key, dsaEncoding: 'ieee-p1363' as const } : key;
  return sign(alg === 'EdDSA' ? null : 'sha256', Buffer.from(text), how).toString('base64url');
}

/** Our own private key, out of the authority's database, where CURFEW_KEY is not set: no request gives it. */
async function ownPrivateKey(kid: string): Promise<KeyObject> {
  const { rows } = await withClient(on.settings['DATABASE_URL'] ?? '', (client) =>
    client.query<{ private_key: Buffer }>('select private_key from signing_keys where kid = $1', [kid]),
  );
  const [row] = rows;
  if (!row) throw new Error(`no key ${kid}`);
  return createPrivateKey({ key: row.private_key, format: 'der', type: 'pkcs8' });
}
