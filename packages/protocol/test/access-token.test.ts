import {
  canonicalKeyId,
  beginningOf,
  claimsNotYetVerified,
  factsOfClaims,
  type JwtChecks,
  judgeAccessToken,
  lowS,
} from '@curfew/protocol/access-token';
import type { SigningAlgorithm } from '@curfew/protocol/claims';
import { describe, expect, test } from 'vitest';

const encode = (value: string | Uint8Array): string => Buffer.from(value).toString('base64url');
const HEADER = { alg: 'EdDSA', typ: 'at+jwt', kid: 'key-1' };
const CLAIMS = {
  iss: 'https://curfew.example',
  aud: 'https://shop.example',
  sub: '2',
  sid: '01890a5d-ac96-7001-8001-000000000001',
  client_id: 'shop',
  device_id: 'phone',
  born: 5,
  epoch: 'first',
  iat: 1_700_000_000,
  exp: 1_700_000_300,
  jti: 'token-1',
};
const token = (
  header: unknown,
  claims: unknown = CLAIMS,
  signature: Uint8Array = new Uint8Array(64),
): string => [encode(JSON.stringify(header)), encode(JSON.stringify(claims)), encode(signature)].join('.');

describe('the key id of a canonical token', () => {
  test.each(['', 'k', 'ke', 'key', 'key-', 'schlüssel', '€', '😀'])(
    '%j is returned for a token of any length',
    (kid) => {
      expect(canonicalKeyId(token({ ...HEADER, kid }))).toBe(kid);
    },
  );

  test('a text of 4096 characters is parsed, one of 4097 is not', () => {
    const start = `${encode(JSON.stringify(HEADER))}.AAAA.`;
    const keyIds = [4096, 4097].map((length) => canonicalKeyId(start.padEnd(length, 'A')));
    expect(keyIds).toEqual(['key-1', null]);
  });

  test.each([
    ['typ', { ...HEADER, typ: 'JWT' }],
    ['no typ', { ...HEADER, typ: undefined }],
    ['a kid that is no text', { ...HEADER, kid: 1 }],
    ['no kid', { ...HEADER, kid: undefined }],
    ['an algorithm that is no text', { ...HEADER, alg: 1 }],
    ['one more member', { ...HEADER, jwk: {} }],
    ['a list', [HEADER]],
    ['null', null],
    ['a text', 'header'],
    ['a number', 7],
  ])('is null for a header with %s', (_what, header) => {
    expect(canonicalKeyId(token(header))).toBeNull();
  });

  test.each([
    ['two parts', token(HEADER).split('.').slice(0, 2).join('.')],
    ['four parts', `${token(HEADER)}.AA`],
    ['an empty part', `${token(HEADER).split('.').slice(0, 2).join('.')}.`],
    ['a character of plain base64', token(HEADER).replace(/A$/, '+')],
    ['a line break at the end', `${token(HEADER)}\n`],
    ['no JSON', `${encode('{"a":')}.${encode('{}')}.AA`],
    ['no UTF-8', `${encode(new Uint8Array([0x7b, 0xff, 0x7d]))}.${encode('{}')}.AA`],
  ])('is null for a text with %s', (_what, text) => {
    expect(canonicalKeyId(text)).toBeNull();
  });

  test('is null when the last character of a part has unused bits', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const head = token(HEADER).split('.').slice(0, 2).join('.');
    const accepted = (start: string): string =>
      alphabet.replace(/./g, (last) => (canonicalKeyId(`${head}.${start}${last}`) === null ? '' : last));
    expect(accepted('')).toBe('');
    expect(accepted('A')).toBe('AQgw');
    expect(accepted('AA')).toBe('AEIMQUYcgkosw048');
    expect(accepted('AAA')).toBe(alphabet);
    expect(accepted('AAAA')).toBe('');
  });
});

describe('claims of a token that nobody has verified', () => {
  test('are the spelled ones, whatever header and signature are', () => {
    expect(claimsNotYetVerified(token(HEADER))).toEqual(CLAIMS);
    expect(claimsNotYetVerified(`.${encode(JSON.stringify(CLAIMS))}`)).toEqual(CLAIMS);
    const { epoch: _, ...older } = CLAIMS;
    expect(claimsNotYetVerified(token(HEADER, older))).toEqual(older);
    expect(claimsNotYetVerified(token(HEADER, { ...CLAIMS, client_id: 'größe 😀' }))?.client_id).toBe(
      'größe 😀',
    );
  });

  test.each(['iss', 'aud', 'sub', 'sid', 'client_id', 'device_id', 'jti', 'born', 'iat', 'exp'])(
    'are null without %s, or with one of another type',
    (name) => {
      for (const value of [undefined, null, [], {}, true, Number.isInteger(CLAIMS[name as 'born']) ? '5' : 5])
        expect(claimsNotYetVerified(token(HEADER, { ...CLAIMS, [name]: value }))).toBeNull();
    },
  );

  test.each([
    ['a fraction', { born: 1.5 }],
    ['a number that is not exact', { exp: 2 ** 53 }],
    ['an epoch that is no text', { epoch: 1 }],
    ['an empty epoch', { epoch: null }],
    ['a session in capitals', { sid: CLAIMS.sid.toUpperCase() }],
    ['text in front of the session', { sid: `x${CLAIMS.sid}` }],
    ['text behind the session', { sid: `${CLAIMS.sid}x` }],
  ])('are null with %s', (_what, change) => {
    expect(claimsNotYetVerified(token(HEADER, { ...CLAIMS, ...change }))).toBeNull();
  });

  test('of a session with a login say when each of them began, in a way that older verifiers refuse', () => {
    const { born, ...others } = CLAIMS;
    const login = { sid: CLAIMS.sid, born: 3, client_id: 'pages' };
    const claims = claimsNotYetVerified(token(HEADER, { ...others, begun: born, login }));
    expect(claims && factsOfClaims(claims)).toMatchObject({
      born,
      login: { sid: CLAIMS.sid, born: 3, clientId: 'pages' },
    });
    expect(beginningOf({ born: 7, login: { sid: 's', born: 3, clientId: 'pages' } })).toEqual({
      begun: 7,
      login: { sid: 's', born: 3, client_id: 'pages' },
    });
    for (const wrong of [
      { begun: born },
      { born, login },
      { begun: born, login: CLAIMS.sid },
      { begun: born, login: null },
      { begun: '7', login },
      ...Object.keys(login).map((name) => ({ begun: born, login: { ...login, [name]: undefined } })),
      { begun: born, login: { ...login, sid: 'x' } },
    ])
      expect(claimsNotYetVerified(token(HEADER, { ...others, ...wrong }))).toBeNull();
  });

  test.each(['', '.', 'a', 'a.b', 'a.!.c', `a.${encode('null')}.c`, `a.${encode('[]')}.c`])(
    'are null for %j',
    (text) => {
      expect(claimsNotYetVerified(text)).toBeNull();
    },
  );
});

describe('the lower one of two ES256 signatures', () => {
  const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const r = Uint8Array.from({ length: 32 }, (_, i) => i + 1);
  const signed = (s: bigint): string => {
    const bytes = Buffer.from(s.toString(16).padStart(64, '0'), 'hex');
    return token(HEADER, CLAIMS, Buffer.concat([r, bytes]));
  };

  test.each([1n, 255n, 256n, 2n ** 128n, ORDER / 2n - 1n, ORDER / 2n])(
    '%d is kept, and its twin is replaced by it',
    (s) => {
      expect(lowS(signed(s))).toBe(signed(s));
      expect(lowS(signed(ORDER - s))).toBe(signed(s));
    },
  );

  test.each([0, 1, 32, 63, 65, 96])('a signature of %d bytes is unchanged', (length) => {
    const text = token(HEADER, CLAIMS, new Uint8Array(length).fill(255));
    expect(lowS(text)).toBe(text);
  });
});

describe('the judgement of a token', () => {
  const NOW = new Date(1_700_000_100_000);
  const EXPECTED = {
    issuer: CLAIMS.iss,
    audiences: ['https://shop.example', 'https://other.example'],
    now: NOW,
  };
  const judge = (
    text: string,
    verified: () => unknown,
    alg: SigningAlgorithm = 'EdDSA',
  ): ReturnType<typeof judgeAccessToken> =>
    judgeAccessToken(text, { alg, publicKey: 'the key' }, EXPECTED, async () => ({ payload: verified() }));
  const failing = (code: unknown) => (): never => {
    throw Object.assign(new Error('no'), { code });
  };

  test('checks the key’s algorithm, issuer, audiences, instant and every claim', async () => {
    let asked: [string, string, JwtChecks] | undefined;
    const key = { alg: 'RS256' as const, publicKey: 'the key' };
    const judged = await judgeAccessToken('text', key, EXPECTED, async (...given) => {
      asked = given;
      return { payload: CLAIMS };
    });
    expect(judged).toEqual({ ok: true, claims: CLAIMS });
    const [text, publicKey, { requiredClaims, ...checks }] = asked ?? expect.fail('nothing was asked');
    expect([text, publicKey]).toEqual(['text', 'the key']);
    expect(checks).toEqual({
      algorithms: ['RS256'],
      typ: 'at+jwt',
      issuer: EXPECTED.issuer,
      audience: EXPECTED.audiences,
      currentDate: NOW,
    });
    const { epoch: _, ...required } = CLAIMS;
    // A session with a login has `begun` in place of `born`.
    expect([...requiredClaims, 'born'].toSorted()).toEqual(Object.keys(required).toSorted());
  });

  test('names what is wrong', async () => {
    const wrong = async (verified: () => unknown): Promise<string> => {
      const judged = await judge(token(HEADER), verified);
      return judged.ok ? 'nothing' : judged.wrong;
    };
    expect(await wrong(() => CLAIMS)).toBe('nothing');
    expect(await wrong(() => ({ ...CLAIMS, sid: 'x' }))).toBe('claims');
    expect(await wrong(() => null)).toBe('claims');
    expect(await wrong(failing('ERR_JWT_EXPIRED'))).toBe('expired');
    expect(await wrong(failing('ERR_JWT_CLAIM_VALIDATION_FAILED'))).toBe('claims');
    expect(await wrong(failing('ERR_JWS_SIGNATURE_VERIFICATION_FAILED'))).toBe('signature');
    expect(await wrong(failing(undefined))).toBe('signature');
  });

  test('accepts only the lower twin of an ES256 signature, and checks no twins of other algorithms', async () => {
    const high = token({ ...HEADER, alg: 'ES256' }, CLAIMS, new Uint8Array(64).fill(255));
    const asked = (): never => expect.fail('the signature was looked at');
    expect(await judge(high, asked, 'ES256')).toEqual({ ok: false, wrong: 'signature' });
    expect(await judge(high, () => CLAIMS, 'EdDSA')).toEqual({ ok: true, claims: CLAIMS });
    expect(await judge(lowS(token(HEADER)), () => CLAIMS, 'ES256')).toEqual({ ok: true, claims: CLAIMS });
  });
});
