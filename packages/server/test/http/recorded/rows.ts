/** Every row of the description, with every kind of caller: who is admitted, and the answer to each. */
import { type Caller, type CallOptions, NEW_PASSWORD, SERVICE_KEY } from '../../support.ts';
import { until } from '../../races/node.ts';
import { cookieLogin, newUser, opened } from '../logins.ts';
import type { DescribedOperation, Description, Recorder } from './recording.ts';

interface People {
  user: { id: number; email: string };
  admin: { id: number; email: string };
}

/** A new user for each request, so that none ends another's session. */
const CALLERS: Record<string, (call: Caller, people: People) => Promise<CallOptions>> = {
  nobody: async () => ({}),
  'a made-up token': async () => ({ bearer: 'made-up' }),
  'a user': async (call, { user }) => ({ bearer: (await opened(call, user.id)).bearer }),
  "a user's cookie and CSRF token": (call, { user }) => cookieLogin(call, user.email),
  "a user's cookie alone": async (call, { user }) => ({
    cookie: (await cookieLogin(call, user.email)).cookie,
  }),
  'an administrator, for another audience': async (call, { admin }) => ({
    bearer: (await opened(call, admin.id, { client_id: 'shop' })).bearer,
  }),
  'an administrator': async (call, { admin }) => ({ bearer: (await opened(call, admin.id)).bearer }),
  "an administrator's cookie alone": async (call, { admin }) => ({
    cookie: (await cookieLogin(call, admin.email)).cookie,
  }),
  'a service key': async () => ({ bearer: SERVICE_KEY }),
};
/** For rows without authentication. */
const OF_OPEN_ROWS = ['nobody', 'a made-up token', "a user's cookie alone"];

/** The request, where the description's example is unknown here or would be refused for it. */
const BODIES: Record<string, unknown> = {
  'post /v1/logout': { scope: 'this' },
  'post /v1/session/confirm': { password: NEW_PASSWORD },
  // The others of the row log in with the right one.
  'post /v1/password': { current_password: 'wrong', new_password: 'another password of these tests' },
  'post /v1/admin/users': { email: 'ada@example.com', name: 'Ada', password: 'a password for Ada' },
  'post /v1/admin/users/{id}/password': { password: 'another password of these tests' },
};

/** Their answers are made up of other things than the row: they have sections of their own. */
const ELSEWHERE = ['get /v1/admin/events', 'get /openapi.json', 'get /docs'];

const LONG_LISTS = ['get /v1/admin/sessions', 'get /v1/admin/users'];

export async function askEveryRow(recorder: Recorder, pass: (section: string) => void): Promise<void> {
  const counted = () => recorder.quietly('GET', '/v1/admin/clients', { bearer: SERVICE_KEY });
  await until('the sessions are counted', async () => (await counted()).json.counted_at !== null);
  const { paths } = (await recorder.quietly<Description>('GET', '/openapi.json')).json;
  const rows = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  );
  for (const { method, path, operation } of rows.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))) {
    if (ELSEWHERE.includes(`${method} ${path}`)) continue;
    pass(`${method.toUpperCase()} ${path}`);
    const user = await newUser(recorder.quietly, { name: 'Some One' });
    const admin = await newUser(recorder.quietly, { name: 'Ad Min', role: 'admin' });
    const asked = addressOf(path, user.id) + (LONG_LISTS.includes(`${method} ${path}`) ? '?limit=1' : '');
    const body = bodyOf(`${method} ${path}`, operation);
    const secured = (operation.security ?? []).length > 0;
    for (const [who, credentialOf] of Object.entries(CALLERS)) {
      if (!secured && !OF_OPEN_ROWS.includes(who)) continue;
      const credential = await credentialOf(recorder.quietly, { user, admin });
      await recorder.ask(who, method.toUpperCase(), asked, { ...credential, ...body });
    }
  }
}

const nameOf = ({ path, method }: { path: string; method: string }): string => `${path} ${method}`;

/** A user that is there; a session that is not. */
const addressOf = (path: string, userId: number): string =>
  path.replace('{id}', path.includes('/sessions/') ? '019a9f2c-5f6e-7c3a-9d52-8f2b7c1e4a60' : String(userId));

function bodyOf(row: string, { requestBody }: DescribedOperation): CallOptions {
  const [type, described] = Object.entries(requestBody?.content ?? {})[0] ?? [];
  if (type === undefined) return {};
  if (type !== 'application/json') return { body: 'token=made-up', headers: { 'content-type': type } };
  return { body: BODIES[row] ?? described?.example };
}
