/** The role of a verified session is the user's role now, and never an earlier one. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  cookieLogin,
  newUser,
  opened,
  sessionTokenLogin,
  tokenLogin,
  v1Login,
} from '../../server/test/http/logins.ts';
import { SERVICE_KEY } from '../../server/test/support.ts';
import type { Verifier } from '../src/index.ts';
import { openStage, type Stage } from './door.ts';

let stage: Stage;
let verifier: Verifier;
beforeAll(async () => {
  stage = await openStage();
  verifier = await stage.connect();
});
afterAll(() => stage.close());

const change = (id: number, role: string, bearer = SERVICE_KEY) =>
  stage.call('PATCH', `/v1/admin/users/${id}`, { bearer, body: { role } });
const roleOf = async (credential: string, by: Verifier = verifier): Promise<string> => {
  const verified = await by.verify(credential);
  return verified.ok ? verified.session.role : verified.reason;
};

test('credentials of every kind have the role, and a new role ends them', async () => {
  const { id, email } = await newUser(stage.call);
  const held = async (): Promise<string[]> => [
    (await v1Login(stage.call, email)).bearer,
    (await tokenLogin(stage.call, email)).bearer,
    await sessionTokenLogin(stage.call, email),
    (await cookieLogin(stage.call, email)).cookie,
  ];
  const before = await held();
  for (const credential of before) expect(await roleOf(credential)).toBe('user');
  await change(id, 'admin');
  // An opaque one is asked about again, because its user has changed.
  for (const credential of before) expect(['ended', 'unknown']).toContain(await roleOf(credential));
  for (const credential of await held()) expect(await roleOf(credential)).toBe('admin');
});

test('a session that is spared by its own new role has that role at once, in tokens from before too', async () => {
  const { id } = await newUser(stage.call, { role: 'admin' });
  const { bearer, refresh, sid } = await opened(stage.call, id);
  const next = await stage.call('POST', '/v1/refresh', { body: { refresh_token: refresh } });
  const tokens = [bearer, next.json.access_token];
  // One is in memory, the other is not.
  expect(await roleOf(bearer)).toBe('admin');
  expect((await change(id, 'user', bearer)).status).toBe(200);
  for (const token of tokens) expect(await roleOf(token)).toBe('user');
  // A verifier that connects afterwards learns of the change by the snapshot alone.
  const later = await stage.connect();
  for (const token of tokens) expect(await roleOf(token, later)).toBe('user');
  const asked = stage.door.asked;
  expect(await later.verify(bearer)).toMatchObject({ by: 'memory', session: { sid, role: 'user' } });
  expect(stage.door.asked).toBe(asked);
});
