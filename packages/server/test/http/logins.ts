/** Short ways to a session, in every family. */
import { type Caller, cookieOf, NEW_PASSWORD, passwordOf, SERVICE_KEY } from '../support.ts';

export const ADMIN = 'admin@example.com';
export const USER = 'test@example.com';

export interface OpenSession {
  sid: string;
  bearer: string;
  refresh: string;
}

/** Logs in through `/v1`. */
export async function v1Login(call: Caller, email = USER, more: object = {}): Promise<OpenSession> {
  const { status, json, text } = await call('POST', '/v1/login', {
    body: { email, password: passwordOf(email), ...more },
  });
  if (status !== 200) throw new Error(`no login: ${status} ${text}`);
  return { sid: json.session.id, bearer: json.access_token, refresh: json.refresh_token };
}

/** Logs in with a cookie through contract 004. */
export async function cookieLogin(
  call: Caller,
  email = USER,
  headers: Record<string, string> = {},
): Promise<{ cookie: string; csrf: string }> {
  const answer = await call('POST', '/auth/login', {
    body: { email, password: passwordOf(email), transport: 'cookie' },
    headers,
  });
  return { cookie: cookieOf(answer), csrf: answer.json.data.csrf_token };
}

/** Logs in through contract 002. */
export async function sessionTokenLogin(call: Caller, username = USER): Promise<string> {
  const { json } = await call('POST', '/api/auth/login', {
    body: { username, password: passwordOf(username) },
  });
  return json.data.sessionToken;
}

/** Logs in through contract 003. */
export async function tokenLogin(call: Caller, email = USER): Promise<{ bearer: string; refresh: string }> {
  const { json } = await call('POST', '/api/v1/auth/login', { body: { email, password: passwordOf(email) } });
  return { bearer: json.access_token, refresh: json.refresh_token };
}

/** A session without a password, by the service key: quick, and for any application and device. */
export async function opened(
  call: Caller,
  userId: number,
  more: { client_id?: string; device?: { id: string } } = {},
): Promise<OpenSession> {
  const { status, json, text } = await call('POST', '/v1/admin/sessions', {
    bearer: SERVICE_KEY,
    body: { user_id: userId, ...more },
  });
  if (status !== 200) throw new Error(`no session: ${status} ${text}`);
  return { sid: json.session.id, bearer: json.access_token, refresh: json.refresh_token };
}

/** A new user, by the service key. */
export async function newUser(call: Caller, more: object = {}): Promise<{ id: number; email: string }> {
  const email = `user-${crypto.randomUUID()}@example.com`;
  const { status, json, text } = await call('POST', '/v1/admin/users', {
    bearer: SERVICE_KEY,
    body: { email, password: NEW_PASSWORD, ...more },
  });
  if (status !== 201) throw new Error(`no user: ${status} ${text}`);
  return { id: json.user.id, email };
}

/** A new API key, by the service key. Its secret is shown this once. */
export async function newKey(
  call: Caller,
  { client_id, ...key }: { scopes: readonly string[]; name?: string; client_id?: string | null | undefined },
): Promise<{ id: number; secret: string }> {
  const { status, json, text } = await call('POST', '/v1/admin/api-keys', {
    bearer: SERVICE_KEY,
    body: { name: 'Back end', ...key, ...(client_id && { client_id }) },
  });
  if (status !== 201) throw new Error(`no key: ${status} ${text}`);
  return { id: json.key.id, secret: json.secret };
}

/** Which of the sessions are alive. */
export async function alive(call: Caller, sessions: { bearer: string }[]): Promise<boolean[]> {
  const answers = await Promise.all(sessions.map(({ bearer }) => call('GET', '/v1/session', { bearer })));
  for (const { status, text } of answers)
    if (status !== 200 && status !== 401) throw new Error(`no verdict: ${status} ${text}`);
  return answers.map(({ status }) => status === 200);
}
