/** Keys that are not valid: an address may present so many of them, and a valid key is accepted beside them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { WrongKeys } from '../../src/cluster/memory/wrong-keys.ts';
import { newKeyText } from '../../src/domain/api-key.ts';
import { openHandClock, timeOf } from '../services/hand-clock.ts';
import { type Answer, openAuthority, routeBackend, SERVICE_KEY, type TestAuthority } from '../support.ts';
import { type FeedNode, startNode } from './following.ts';

const LIMIT = 3;
const WINDOW = 900;
const clock = openHandClock();
let node: FeedNode;
let on: TestAuthority;
beforeAll(async () => {
  const settings = { CURFEW_LOGIN_FAILURES_ADDRESS: String(LIMIT), CURFEW_TRUSTED_PROXIES: '127.0.0.1' };
  on = await openAuthority(routeBackend(), settings, { system: timeOf(clock) });
  node = await startNode(on, { forTheFile: true, clock });
});

afterAll(() => node.close());

let addresses = 0;
const newAddress = (): string => `192.0.2.${++addresses}`;
const guess = (): string =>
  newKeyText('operator', (length) => Buffer.from(crypto.getRandomValues(new Uint8Array(length))));

interface Sent {
  status: number;
  retryAfter: string | null;
  body: string;
}
const sentOf = ({ status, headers, text }: Answer): Sent => ({
  status,
  retryAfter: headers.get('retry-after'),
  body: text,
});
const form = (key: string, address: string, path: string): Promise<Sent> =>
  on
    .call('POST', path, {
      bearer: key,
      address,
      body: 'token=x',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    })
    .then(sentOf);

/** A feed that is opened, or its refusal. */
async function feed(key: string, address: string): Promise<Sent> {
  const ws = new WebSocket(node.url, {
    headers: { authorization: `Bearer ${key}`, 'x-forwarded-for': address },
  });
  return new Promise((resolve, reject) => {
    ws.on('unexpected-response', (_request, response) => {
      let body = '';
      response.on('data', (chunk) => (body += String(chunk)));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          retryAfter: response.headers['retry-after'] ?? null,
          body,
        }),
      );
    });
    ws.on('open', () => {
      resolve({ status: 101, retryAfter: null, body: '' });
      ws.terminate();
    });
    ws.on('error', reject);
  });
}

const DOORS: [what: string, ok: number, call: (key: string, address: string) => Promise<Sent>][] = [
  [
    'the administration',
    200,
    (bearer, address) => on.call('GET', '/v1/admin/clients', { bearer, address }).then(sentOf),
  ],
  [
    'opening sessions',
    200,
    (bearer, address) =>
      on.call('POST', '/v1/admin/sessions', { bearer, address, body: { user_id: 2 } }).then(sentOf),
  ],
  ['metrics', 200, (bearer, address) => on.call('GET', '/metrics', { bearer, address }).then(sentOf)],
  ['introspection', 200, (key, address) => form(key, address, '/oauth/introspect')],
  ['revocation', 200, (key, address) => form(key, address, '/oauth/revoke')],
  ['the feed', 101, feed],
];

describe('keys that are not valid', () => {
  test.each(DOORS)('are limited by address at %s, and a valid key goes on', async (_what, ok, call) => {
    const address = newAddress();
    for (let i = 0; i < LIMIT; i++) expect([401, 403]).toContain((await call(guess(), address)).status);
    const limited = await call(guess(), address);
    expect(limited).toMatchObject({ status: 429, retryAfter: String(WINDOW) });
    expect(limited.body).toContain('key that is not valid');
    // Not a key at all, which is also a guess.
    expect((await call('x', address)).status).toBe(429);
    expect((await call(SERVICE_KEY, address)).status).toBe(ok);
    expect((await call(guess(), newAddress())).status).not.toBe(429);
  });

  test('count together at every door', async () => {
    const address = newAddress();
    const statuses: number[] = [];
    for (const [, , call] of DOORS) statuses.push((await call(guess(), address)).status);
    expect(statuses.slice(LIMIT)).toEqual(Array.from({ length: DOORS.length - LIMIT }, () => 429));
  });

  test('are judged again when the window is over', async () => {
    const address = newAddress();
    const [, , call] = DOORS[3] as (typeof DOORS)[number];
    for (let i = 0; i < LIMIT; i++) await call(guess(), address);
    clock.pass((WINDOW - 10) * 1000);
    expect(await call(guess(), address)).toMatchObject({ status: 429, retryAfter: '10' });
    clock.pass(10_000);
    expect((await call(guess(), address)).status).toBe(401);
  });

  test('keep no session and no login out', async () => {
    const address = newAddress();
    for (let i = 0; i <= LIMIT; i++) await form(guess(), address, '/oauth/introspect');
    const body = { email: 'test@example.com', password: 'password123' };
    const { status, json } = await on.call('POST', '/v1/login', { body, address });
    expect(status).toBe(200);
    const bearer = json.access_token;
    expect((await on.call('GET', '/v1/session', { bearer, address })).status).toBe(200);
    expect((await on.call('POST', '/v1/logout', { bearer, address })).status).toBe(200);
  });

  test('of unknown addresses share no limit', async () => {
    for (let i = 0; i <= LIMIT; i++)
      expect((await on.call('GET', '/v1/admin/clients', { bearer: guess(), address: '' })).status).toBe(401);
  });
});

describe('the count', () => {
  test('keeps so many addresses, and drops the one whose window ends first', () => {
    let nowMs = 0;
    const counts = new WrongKeys({ monotonicMs: () => nowMs }, { address: 1, windowSeconds: 60 });
    for (let i = 0; i < 10_000; i++) counts.count(`first ${i}`);
    expect([counts.size, counts.count('first 0')]).toEqual([10_000, 60]);
    counts.count('another');
    expect([counts.size, counts.count('first 0'), counts.count('another')]).toEqual([10_000, null, 60]);
    nowMs = 60_000;
    counts.count('later');
    expect(counts.size).toBe(1);
  });
});
