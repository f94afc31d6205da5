/** The cost of a login, and the queue of hashes. */
import * as argon2 from '@node-rs/argon2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPasswordHasher, Overloaded, type PasswordHasher } from '../../src/system/password-hashing.ts';
import { type Caller, openAuthority, PASSWORD, routeBackend, type TestAuthority } from '../support.ts';
import { described } from './described.ts';
import { newUser, USER } from './logins.ts';

const COSTS = /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/;
const real = createPasswordHasher({ concurrency: 2, queue: 100 });
/** The verified hashes: null is that of an unknown account. */
const verified: (string | null)[] = [];
const watched: PasswordHasher = {
  ...real,
  verify: (hash, password) => {
    verified.push(hash);
    return real.verify(hash, password);
  },
};

test('verifying against no hash costs what a real one costs, and is false', async () => {
  const hash = await real.hash(PASSWORD);
  expect(hash).toMatch(COSTS);
  expect(await real.verify(hash, PASSWORD)).toBe(true);
  const verifications: unknown[] = [];
  const hasher = createPasswordHasher(
    { concurrency: 1, queue: 5 },
    {
      hash: argon2.hash,
      verify: (...given) => {
        verifications.push(given);
        return argon2.verify(...given);
      },
    },
  );
  for (const password of [PASSWORD, 'some password']) {
    verifications.length = 0;
    expect(await hasher.verify(null, password)).toBe(false);
    // One verification of this password, whose time Argon2 takes from the costs in the hash.
    expect(verifications).toEqual([[expect.stringMatching(COSTS), password]]);
  }
});

describe('an unknown account', () => {
  let on: TestAuthority;
  let call: Caller;
  beforeAll(async () => {
    on = await openAuthority(routeBackend(), {}, { system: { passwords: watched } });
    call = described(on.call);
  });
  afterAll(() => on.close());

  const LOGINS = (email: string): [string, object][] => [
    ['/v1/login', { email }],
    ['/auth/login', { email }],
    ['/auth/login', { email, transport: 'cookie' }],
    ['/api/auth/login', { username: email }],
    ['/api/v1/auth/login', { email }],
  ];

  test('costs one hash, as a known one does, in every family', async () => {
    const passwordless = await newUser(call, { password: undefined });
    const disabled = await newUser(call);
    const admin = await call('POST', '/v1/login', {
      body: { email: 'admin@example.com', password: PASSWORD },
    });
    await call('PATCH', `/v1/admin/users/${disabled.id}`, {
      bearer: admin.json.access_token,
      body: { disabled: true },
    });
    const cases: [string, unknown][] = [
      ['nobody@example.com', null],
      [passwordless.email, null],
      [disabled.email, expect.stringMatching(/^\$argon2id/)],
      [USER, expect.stringMatching(/^\$argon2id/)],
    ];
    for (const [email, against] of cases) {
      for (const [path, body] of LOGINS(email)) {
        verified.length = 0;
        const { status } = await call('POST', path, { body: { ...body, password: 'wrong' } });
        expect([email, path, status, verified]).toEqual([email, path, 401, [against]]);
      }
    }
  });

  test('a rate-limited or malformed login costs no hash', async () => {
    verified.length = 0;
    await call('POST', '/v1/login', { body: { email: USER } });
    await call('POST', '/v1/login', { body: { email: USER, password: 'x'.repeat(2000) } });
    await call('POST', '/auth/login', {
      body: { email: USER, password: PASSWORD, transport: 'cookie' },
      headers: { origin: 'https://evil.test' },
    });
    expect(verified).toEqual([]);
  });
});

test('as many hashes run as allowed, in order, and one more than may wait is refused', async () => {
  const hasher = createPasswordHasher({ concurrency: 2, queue: 3 });
  const outcomes = Array.from({ length: 7 }, () =>
    hasher.hash(PASSWORD).then(
      () => 'done',
      (error: unknown) => error,
    ),
  );
  expect(hasher.load()).toEqual({ running: 2, waiting: 3 });
  const settled = await Promise.all(outcomes);
  expect(settled.filter((one) => one === 'done')).toHaveLength(5);
  for (const one of settled.slice(5)) expect(one).toBeInstanceOf(Overloaded);
  expect(hasher.load()).toEqual({ running: 0, waiting: 0 });
  expect(await hasher.verify(await hasher.hash(PASSWORD), PASSWORD)).toBe(true);
});

test('a failed hash frees its place', async () => {
  const hasher = createPasswordHasher({ concurrency: 1, queue: 5 });
  await expect(hasher.verify('no hash at all', PASSWORD)).rejects.toThrow();
  expect(hasher.load()).toEqual({ running: 0, waiting: 0 });
  expect(await hasher.verify(null, PASSWORD)).toBe(false);
});

describe('beyond the queue', () => {
  let on: TestAuthority;
  let call: Caller;
  let open: () => void = () => undefined;
  const gates: (() => void)[] = [];
  /** Hashing that is stuck until the test lets it go, behind the real bounds. */
  const bounds = { concurrency: 1, queue: 2 };
  let running = 0;
  let waiting = 0;
  /** Whether the queue is seen to be full before the hash is asked for, or only then. */
  let shows = true;
  const stuck: PasswordHasher = {
    hash: (password) => real.hash(password),
    verify: async (hash, password) => {
      if (running + waiting >= bounds.concurrency + bounds.queue) throw new Overloaded('full');
      if (running < bounds.concurrency) running++;
      else waiting++;
      await new Promise<void>((resolve) => gates.push(resolve));
      return real.verify(hash, password);
    },
    load: () => ({ running, waiting: shows ? waiting : 0 }),
  };
  beforeAll(async () => {
    on = await openAuthority(
      routeBackend(),
      { CURFEW_HASH_QUEUE: '2', CURFEW_LOGIN_FAILURES_PAIR: '5' },
      { system: { passwords: stuck } },
    );
    call = described(on.call);
    open = () => {
      running = 0;
      waiting = 0;
      for (const gate of gates.splice(0)) gate();
    };
  });
  afterAll(() => on.close());

  test('logins are 503 with Retry-After in every family; logout, check and refresh answer; nothing is counted', async () => {
    const session = (): Promise<{ bearer: string; refresh: string }> =>
      call('POST', '/v1/admin/sessions', {
        bearer: 'svc_of_the_tests_0123456789abcdefghijklmnop',
        body: { user_id: 2 },
      }).then(({ json }) => ({ bearer: json.access_token, refresh: json.refresh_token }));
    const sessions = [await session(), await session()];
    const credentials = { email: USER, password: PASSWORD };
    const held = Array.from({ length: 3 }, () => call('POST', '/v1/login', { body: credentials }));
    await expect.poll(() => gates.length).toBe(3);

    const refused: [string, object, string][] = [
      ['/v1/login', credentials, '"code":"overloaded"'],
      ['/auth/login', credentials, '"code":"OVERLOADED"'],
      [
        '/api/auth/login',
        { username: USER, password: PASSWORD },
        '{"error":"Too many logins at once, try again","path":"/api/auth/login"',
      ],
      ['/api/v1/auth/login', credentials, '{"message":"Service Unavailable."}'],
    ];
    for (let round = 0; round < 3; round++) {
      shows = round === 0;
      for (const [path, body, expected] of refused) {
        const { status, headers, text } = await call('POST', path, { body });
        expect([path, status, headers.get('retry-after')]).toEqual([path, 503, '1']);
        expect(text).toContain(expected);
      }
    }
    shows = true;
    for (const { bearer } of sessions) expect((await call('GET', '/v1/check', { bearer })).status).toBe(200);
    expect(
      (await call('POST', '/v1/refresh', { body: { refresh_token: sessions[1]?.refresh } })).status,
    ).toBe(200);
    expect((await call('POST', '/v1/logout', { bearer: sessions[0]?.bearer ?? '' })).status).toBe(200);
    expect((await call('POST', '/auth/logout', { bearer: sessions[1]?.bearer ?? '' })).status).toBe(200);

    open();
    for (const answer of await Promise.all(held)) expect(answer.status).toBe(200);
    // A dozen were refused by the full queue, which counts as a failed login of nobody.
    const last = call('POST', '/v1/login', { body: credentials });
    await expect.poll(() => gates.length).toBe(1);
    open();
    expect((await last).status).toBe(200);
  });
});
