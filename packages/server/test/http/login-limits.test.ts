import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Answer,
  type Caller,
  NEW_PASSWORD,
  openAuthority,
  routeBackend,
  type TestAuthority,
} from '../support.ts';
import { described } from './described.ts';
import { newUser, v1Login } from './logins.ts';

const WINDOW = 900;
const LIMITS = {
  CURFEW_LOGIN_FAILURES_PAIR: '3',
  CURFEW_LOGIN_FAILURES_ADDRESS: '8',
  CURFEW_LOGIN_FAILURES_ACCOUNT: '10',
  CURFEW_LOGIN_WINDOW_SECONDS: String(WINDOW),
};

describe('limits on failed logins', () => {
  let on: TestAuthority;
  let call: Caller;
  let ahead = 0;
  let addresses = 0;
  beforeAll(async () => {
    on = await openAuthority(routeBackend(), LIMITS, {
      system: { now: () => new Date(Date.now() + ahead * 1000) },
    });
    call = described(on.call);
  });
  afterAll(() => on.close());

  /** An address that was never used. */
  const newAddress = (): string => `198.51.${100 + (++addresses >> 8)}.${addresses & 255}`;
  const login = (email: string, password: string, address: string): Promise<Answer> =>
    call('POST', '/v1/login', { body: { email, password }, address });
  const statuses = async (count: number, email: string, address: () => string): Promise<number[]> => {
    const list: number[] = [];
    for (let i = 0; i < count; i++) list.push((await login(email, 'wrong', address())).status);
    return list;
  };

  test('one account from one address: a pause, in which even the right password has to wait, and which ends', async () => {
    const { email } = await newUser(call);
    const here = newAddress();
    expect(await statuses(4, email, () => here)).toEqual([401, 401, 401, 429]);
    const paused = await login(email, NEW_PASSWORD, here);
    expect([paused.status, paused.json['code']]).toEqual([429, 'rate_limited']);
    const wait = Number(paused.headers.get('retry-after'));
    expect(wait).toBeGreaterThan(WINDOW - 60);
    expect(wait).toBeLessThanOrEqual(WINDOW);
    // Trying on does not make it longer.
    ahead += WINDOW - 60;
    expect((await login(email, 'wrong', here)).status).toBe(429);
    ahead += 61;
    expect((await login(email, NEW_PASSWORD, here)).status).toBe(200);
  });

  test('the account from another address, and another account from this one, are not delayed', async () => {
    const [{ email }, other] = [await newUser(call), await newUser(call)];
    const here = newAddress();
    await statuses(4, email, () => here);
    expect((await login(other.email, NEW_PASSWORD, here)).status).toBe(200);
    expect((await login(email, NEW_PASSWORD, newAddress())).status).toBe(200);
  });

  test('another case of the address counts for the same account', async () => {
    const { email } = await newUser(call);
    const here = newAddress();
    await statuses(3, email.toUpperCase(), () => here);
    expect((await login(email, 'wrong', here)).status).toBe(429);
  });

  test('the four contracts share one count', async () => {
    const { email } = await newUser(call);
    const address = newAddress();
    const tries: [string, object][] = [
      ['/v1/login', { email }],
      ['/auth/login', { email }],
      ['/api/auth/login', { username: email }],
      ['/api/v1/auth/login', { email }],
      ['/v1/login', { email }],
    ];
    const list = [];
    for (const [path, body] of tries)
      list.push((await call('POST', path, { body: { ...body, password: 'wrong' }, address })).status);
    expect(list).toEqual([401, 401, 401, 429, 429]);
  });

  test('one address, many accounts: the address is limited', async () => {
    const here = newAddress();
    const list = [];
    for (let i = 0; i < 10; i++) list.push((await login(`nobody-${i}@example.com`, 'wrong', here)).status);
    expect(list).toEqual([401, 401, 401, 401, 401, 401, 401, 401, 429, 429]);
    const { email } = await newUser(call);
    expect((await login(email, NEW_PASSWORD, here)).status).toBe(429);
    expect((await login(email, NEW_PASSWORD, newAddress())).status).toBe(200);
  });

  test('IPv6 counts by /64', async () => {
    const { email } = await newUser(call);
    const net = `2001:db8:0:${(++addresses).toString(16)}`;
    expect((await login(email, 'wrong', `${net}::1`)).status).toBe(401);
    expect((await login(email, 'wrong', `${net}::2`)).status).toBe(401);
    expect((await login(email, 'wrong', `${net}:ffff::3`)).status).toBe(401);
    expect((await login(email, 'wrong', `${net}:ffff:ffff:ffff:ffff`)).status).toBe(429);
    expect((await login(email, NEW_PASSWORD, `2001:db8:1:${addresses.toString(16)}::1`)).status).toBe(200);
  });

  test('one account from everywhere: strangers are delayed, the owner at a familiar address is not', async () => {
    const { email } = await newUser(call);
    const home = newAddress();
    expect((await login(email, NEW_PASSWORD, home)).status).toBe(200);
    const hammered = await statuses(14, email, newAddress);
    expect(hammered.filter((status) => status === 401)).toHaveLength(10);
    expect(hammered.slice(10)).toEqual([429, 429, 429, 429]);
    expect((await login(email, NEW_PASSWORD, newAddress())).status).toBe(429);
    // The owner, at home, over and over, while it goes on.
    for (let i = 0; i < 3; i++) {
      await statuses(2, email, newAddress);
      expect((await login(email, NEW_PASSWORD, home)).status).toBe(200);
    }
    // Abroad the owner waits, and no longer than the window.
    ahead += WINDOW + 1;
    expect((await login(email, NEW_PASSWORD, newAddress())).status).toBe(200);
  });

  test('one address cannot lock the owner out, because refused attempts do not count', async () => {
    const { email } = await newUser(call);
    const attacker = newAddress();
    expect((await statuses(30, email, () => attacker)).filter((status) => status === 401)).toHaveLength(3);
    // The same where the address itself is over its limit, and while many attempts are under way.
    for (let i = 0; i < 8; i++) await login(`somebody-${i}@example.com`, 'wrong', attacker);
    await Promise.all(Array.from({ length: 20 }, () => login(email, 'wrong', attacker)));
    // Six more may still guess before the account itself is closed to strangers.
    const others = Array.from({ length: 6 }, newAddress);
    for (const other of others) expect((await login(email, 'wrong', other)).status).toBe(401);
    expect((await login(email, NEW_PASSWORD, newAddress())).status).toBe(200);
  });

  test('an account that is closed to strangers does not use up their own limits', async () => {
    const { email } = await newUser(call);
    await statuses(10, email, newAddress);
    const here = newAddress();
    expect(await statuses(5, email, () => here)).toEqual([429, 429, 429, 429, 429]);
    ahead += WINDOW + 1;
    expect(await statuses(4, email, () => here)).toEqual([401, 401, 401, 429]);
  });

  test('attempts from a familiar address count for it alone', async () => {
    const { email } = await newUser(call);
    const home = newAddress();
    expect((await login(email, NEW_PASSWORD, home)).status).toBe(200);
    await statuses(9, email, newAddress);
    expect(await statuses(3, email, () => home)).toEqual([401, 401, 401]);
    ahead += 1;
    // The owner's own success gives strangers no guess back.
    const { email: second } = await newUser(call);
    const den = newAddress();
    expect((await login(second, NEW_PASSWORD, den)).status).toBe(200);
    await statuses(10, second, newAddress);
    expect((await login(second, NEW_PASSWORD, den)).status).toBe(200);
    expect((await login(second, 'wrong', newAddress())).status).toBe(429);
  });

  test('unknown, disabled, deleted and passwordless accounts give the same bytes as a known one', async () => {
    const known = await newUser(call);
    const disabled = await newUser(call);
    const deleted = await newUser(call);
    const passwordless = await newUser(call, { password: undefined });
    const admin = (await v1Login(call, 'admin@example.com')).bearer;
    await call('PATCH', `/v1/admin/users/${disabled.id}`, { bearer: admin, body: { disabled: true } });
    await call('DELETE', `/v1/admin/users/${deleted.id}`, { bearer: admin });
    const transcript = async (email: string, password: string): Promise<unknown[]> => {
      const address = newAddress();
      const list: unknown[] = [];
      for (let i = 0; i < 5; i++) {
        const { status, text, headers } = await login(email, password, address);
        const shown = [...headers].filter(([name]) => name !== 'x-request-id' && name !== 'retry-after');
        list.push([status, text, shown, headers.has('retry-after')]);
      }
      return list;
    };
    const expected = await transcript(known.email, 'wrong');
    expect(expected.map((one) => (one as [number])[0])).toEqual([401, 401, 401, 429, 429]);
    expect(await transcript('nobody@nowhere.example', 'wrong')).toEqual(expected);
    for (const { email } of [disabled, deleted, passwordless])
      expect(await transcript(email, NEW_PASSWORD)).toEqual(expected);
  });

  test('many attempts at once cannot all pass at count zero', async () => {
    const { email } = await newUser(call);
    const here = newAddress();
    const answers = await Promise.all(Array.from({ length: 20 }, () => login(email, 'wrong', here)));
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(3);
  });

  test('a successful login forgets earlier failures', async () => {
    const { email } = await newUser(call);
    const here = newAddress();
    for (let i = 0; i < 3; i++) {
      expect(await statuses(2, email, () => here)).toEqual([401, 401]);
      expect((await login(email, NEW_PASSWORD, here)).status).toBe(200);
    }
  });

  test('guesses at the current password count like guesses at the login', async () => {
    const { email } = await newUser(call);
    const address = newAddress();
    const { json } = await call('POST', '/v1/login', { body: { email, password: NEW_PASSWORD }, address });
    const guess = () =>
      call('POST', '/v1/password', {
        bearer: json.access_token,
        address,
        body: { current_password: 'wrong', new_password: 'another password' },
      });
    const list = [];
    for (let i = 0; i < 5; i++) list.push((await guess()).status);
    expect(list).toEqual([401, 401, 401, 429, 429]);
    expect((await call('GET', '/v1/session', { bearer: json.access_token })).status).toBe(200);
  });

  test('requests other than logins are never limited', async () => {
    const { email } = await newUser(call);
    const address = newAddress();
    const { json } = await call('POST', '/v1/login', { body: { email, password: NEW_PASSWORD }, address });
    await statuses(6, email, () => address);
    const { access_token: bearer, refresh_token } = json;
    for (let i = 0; i < 20; i++) {
      expect((await call('GET', '/v1/check', { bearer, address })).status).toBe(200);
      expect((await call('POST', '/v1/refresh', { body: { refresh_token: 'rt_no' }, address })).status).toBe(
        401,
      );
    }
    expect((await call('POST', '/v1/refresh', { body: { refresh_token }, address })).status).toBe(200);
    expect((await call('POST', '/v1/logout', { bearer, address })).status).toBe(200);
  });
});
