/** The last administrator's rights cannot be taken away without a confirmation. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { backends, type Caller, openAuthority, SERVICE_KEY, type TestAuthority } from '../support.ts';
import { described } from '../http/described.ts';
import { alive, newUser, v1Login } from '../http/logins.ts';

const WAYS: [string, string, object][] = [
  ['disabling', 'PATCH', { disabled: true }],
  ['demoting', 'PATCH', { role: 'user' }],
  ['deleting', 'DELETE', {}],
];

describe.each(backends())('the last administrator, %s', (backend) => {
  let on: TestAuthority;
  let call: Caller;
  let id: number;
  let bearer: string;
  beforeAll(async () => {
    on = await openAuthority(backend);
    call = described(on.call);
  });
  afterAll(() => on.close());
  const ask = (user: number, method: string, body: object, by = bearer) =>
    call(method, `/v1/admin/users/${user}`, { bearer: by, body });
  const administrators = async (): Promise<number[]> => {
    const { json } = await call('GET', '/v1/admin/users?limit=1000', { bearer: SERVICE_KEY });
    return json.users
      .filter(
        (user: { role: string; disabled_at: string | null }) => user.role === 'admin' && !user.disabled_at,
      )
      .map((user: { id: number }) => user.id);
  };
  /** Leaves one administrator only, who is logged in. */
  beforeEach(async () => {
    const user = await newUser(call, { role: 'admin' });
    ({ id } = user);
    ({ bearer } = await v1Login(call, user.email));
    for (const other of await administrators())
      if (other !== id) await ask(other, 'PATCH', { role: 'user' }, SERVICE_KEY);
  });

  test.each(WAYS)(
    '%s themselves: 409 and nothing changed; done when confirmed',
    async (_name, method, body) => {
      for (const by of [bearer, SERVICE_KEY]) {
        const refused = await ask(id, method, body, by);
        expect([refused.status, refused.json.code]).toEqual([409, 'last_administrator']);
      }
      expect(await administrators()).toEqual([id]);
      expect(await alive(call, [{ bearer }])).toEqual([true]);
      const done = await ask(id, method, { ...body, confirm_last_administrator: true });
      expect(done.status).toBeLessThan(300);
      expect(await administrators()).toEqual([]);
    },
  );

  test('does not count disabled ones, nor changes that keep the rights', async () => {
    const idle = await newUser(call, { role: 'admin' });
    expect((await ask(idle.id, 'PATCH', { disabled: true })).status).toBe(200);
    expect((await ask(id, 'PATCH', { disabled: true })).status).toBe(409);
    for (const [method, body] of [
      ['PATCH', { role: 'user' }],
      ['DELETE', {}],
    ] as const)
      expect((await ask(idle.id, method, body)).status).toBeLessThan(300);
    expect((await ask(id, 'PATCH', { role: 'admin', disabled: false, name: 'x' })).status).toBe(200);
  });

  test.each(WAYS)('two who %s each other at the same time: one is left', async (_name, method, body) => {
    for (let round = 0; round < 5; round++) {
      const other = await newUser(call, { role: 'admin' });
      const answers = await Promise.all([
        ask(other.id, method, body, SERVICE_KEY),
        ask(id, method, body, SERVICE_KEY),
      ]);
      const left = await administrators();
      expect([left.length, answers.filter(({ status }) => status === 409).length]).toEqual([1, 1]);
      id = left[0] as number;
    }
  });
});
