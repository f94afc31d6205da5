import { type Problem, PROBLEMS } from '@curfew/protocol/errors';
import { z } from 'zod';
import type { AdminTarget } from '../actions/end-sessions.ts';
import { composed } from '../domain/email-address.ts';
import {
  accountSchema,
  apiKeyChangeSchema,
  apiKeySchema,
  clientChangeSchema,
  clientSchema,
  keySchema,
  loggedEventSchema,
  logoutSchema,
  previewSchema,
  sessionSchema,
} from './answers.ts';
import { Failed, CommandRefused } from './declare.ts';
import { LAST_ADMIN_KEY, LAST_ADMINISTRATOR, type Operator } from './operator.ts';
import { programVersion } from './version.ts';

/** Longer than a logout can take: the lease, which may be a minute, and one commit. */
const TIMEOUT_MS = 90_000;

/** A streaming server sends something every fifteen seconds. */
const SILENT_MS = 45_000;
const FOREIGN = 'this version does not understand the answer of the server. Is it a Curfew server?';

/** An answer of the server: 2xx with its body, or a problem. */
type ApiReply = { ok: true; body: unknown } | { ok: false; status: number; problem: Partial<Problem> };

/** Works through a running server, with a service key. */
export function apiOperator(url: string, serviceKey: string): Operator {
  const call: AskServer = (method, path, body) => request(url, serviceKey, method, path, body);

  return {
    async users({ query, external, after, limit }) {
      const by = external ? { external_id: external.id, issuer: external.issuer } : { query, after, limit };
      const reply = await call('GET', `/v1/admin/users?${parameters(by)}`);
      return read(reply, z.object({ users: z.array(accountSchema), next: z.number().nullable() }));
    },
    async userById(id) {
      return accountOf(await call('GET', `/v1/admin/users/${id}`));
    },
    async userByEmail(email) {
      // The search finds any part of name or address, so the exact address is picked from the matches.
      for (const spelling of new Set([email, composed(email)]))
        for (let after: number | null = 0; after !== null; ) {
          const page: Awaited<ReturnType<Operator['users']>> = await this.users({
            query: spelling.slice(0, 200),
            external: null,
            after,
            limit: 1000,
          });
          const found = page.users.find((user) => user.email.toLowerCase() === spelling.toLowerCase());
          if (found) return found;
          after = page.next;
        }
      return null;
    },
    async addUser({ password, ...user }) {
      const body = password === null ? user : { ...user, password };
      const reply = await call('POST', '/v1/admin/users', body);
      return isProblem(reply, 'conflict') ? null : accountOf(reply);
    },
    async changeUser(id, change, confirmsLast) {
      const body = { ...change, ...confirming(confirmsLast) };
      return accountOf(await call('PATCH', `/v1/admin/users/${id}`, body));
    },
    async deleteUser(id, confirmsLast) {
      return found(await call('DELETE', `/v1/admin/users/${id}`, confirming(confirmsLast)));
    },
    async setPassword(id, password) {
      return found(await call('POST', `/v1/admin/users/${id}/password`, { password }));
    },
    async sessions({ userId, clientId, before, ended }, limit) {
      const query = parameters({ user_id: userId, client_id: clientId, before, ended, limit });
      const schema = z.object({ sessions: z.array(sessionSchema), next: z.string().nullable() });
      return read(await call('GET', `/v1/admin/sessions?${query}`), schema);
    },
    async preview(target) {
      return read(
        await call('POST', '/v1/admin/logout', { ...bodyOf(target), dry_run: true }),
        previewSchema,
      );
    },
    async end(target, { confirm, wait, note }) {
      const body = { ...bodyOf(target), wait, note, ...(confirm === null ? {} : { confirm }) };
      const reply = await call('POST', '/v1/admin/logout', body);
      if (!reply.ok && reply.problem.code === 'confirmation_required')
        return { outcome: 'confirmation_required', count: reply.problem.count ?? 0 };
      return { outcome: 'ended', result: read(reply, logoutSchema) };
    },
    watchMarking: async () => false,
    async newestEvents(limit) {
      const schema = z.object({ events: z.array(loggedEventSchema) });
      return read(await call('GET', `/v1/admin/events?${parameters({ limit })}`), schema).events;
    },
    async *follow(cursor, stop) {
      const path = `/v1/admin/events?${parameters({ cursor })}`;
      for await (const { id, data } of stream(url, serviceKey, path, stop)) {
        const event = data === null ? null : loggedEventSchema.safeParse(parseJson(data));
        if (event?.success === false) throw new Failed(FOREIGN);
        yield { cursor: id, event: event?.data ?? null };
      }
    },
    ...keyCalls(call),
    close: async () => undefined,
  };
}

type AskServer = (method: string, path: string, body?: unknown) => Promise<ApiReply>;

function clientCalls(call: AskServer): Pick<Operator, 'clients' | 'changeClient'> {
  const path = '/v1/admin/clients';
  return {
    async clients() {
      const schema = z.object({ clients: z.array(clientSchema) });
      const { clients } = read(await call('GET', path), schema);
      return clients.toSorted((a, b) => (a.client_id < b.client_id ? -1 : 1));
    },
    async changeClient({ does, clientId, change }, { confirm, note }) {
      const body = { ...change, note, ...(confirm === null ? {} : { confirm }) };
      const reply =
        does === 'create'
          ? await call('POST', path, { client_id: clientId, ...change, note })
          : await call(does === 'update' ? 'PATCH' : 'DELETE', `${path}/${clientId}`, body);
      if (!reply.ok && reply.problem.code === 'confirmation_required')
        return { outcome: 'confirmation_required', count: reply.problem.count ?? 0 };
      if (isProblem(reply, 'not_found')) throw new CommandRefused(`no such application: ${clientId}.`);
      if (isProblem(reply, 'conflict'))
        throw new CommandRefused(`the application ${clientId} already exists, or existed.`);
      return { outcome: 'done', result: read(reply, clientChangeSchema) };
    },
  };
}

type KeyCalls = Pick<
  Operator,
  'clients' | 'changeClient' | 'apiKeys' | 'createApiKey' | 'revokeApiKey' | 'keys' | 'rotateKeys'
>;

function keyCalls(call: AskServer): KeyCalls {
  return {
    ...clientCalls(call),
    async apiKeys(filter, limit) {
      const schema = z.object({ keys: z.array(apiKeySchema), next: z.number().nullable() });
      return read(await call('GET', `/v1/admin/api-keys?${parameters({ ...filter, limit })}`), schema);
    },
    async createApiKey({ clientId, expiresAt, ...key }) {
      const body = { ...key, client_id: clientId, expires_at: expiresAt };
      const schema = apiKeyChangeSchema.extend({ secret: z.string() });
      return read(await call('POST', '/v1/admin/api-keys', body), schema);
    },
    async revokeApiKey(id, confirmsLast, note) {
      const body = { note, ...(confirmsLast ? { confirm_last_admin_key: true } : {}) };
      const reply = await call('DELETE', `/v1/admin/api-keys/${id}`, body);
      return isProblem(reply, 'not_found') ? null : read(reply, apiKeyChangeSchema);
    },
    keys: async () => read(await call('GET', '/v1/admin/keys'), keysSchema).keys,
    rotateKeys: async () => read(await call('POST', '/v1/admin/keys/rotate'), keysSchema).keys,
  };
}

const confirming = (confirmsLast: boolean): object | undefined =>
  confirmsLast ? { confirm_last_administrator: true } : undefined;

const keysSchema = z.object({ keys: z.array(keySchema) });

/** Whether a server with that key answers there. */
export async function answersTo(url: string, serviceKey: string, timeoutMs: number): Promise<boolean> {
  try {
    return (await request(url, serviceKey, 'GET', '/v1/admin/keys', undefined, timeoutMs)).ok;
  } catch {
    // No server, or not HTTP: no.
    return false;
  }
}

async function request(
  url: string,
  serviceKey: string,
  method: string,
  path: string,
  body: unknown,
  timeoutMs: number = TIMEOUT_MS,
): Promise<ApiReply> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(`${baseOf(url)}${path}`, {
      method,
      headers: {
        ...ownHeaders(serviceKey),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      // The key is for this server only: redirects are not followed.
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    text = await response.text();
  } catch (error) {
    throw unreachable(url, error);
  }
  return replyOf(response, text);
}

/** Server-sent events (HTML Standard, section 9.2.6) as Curfew writes them: one line for each field. */
async function* stream(
  url: string,
  serviceKey: string,
  path: string,
  stop: AbortSignal,
): AsyncGenerator<{ id: string; data: string | null }> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(new DOMException('', 'TimeoutError')), SILENT_MS);
  try {
    const response = await fetch(`${baseOf(url)}${path}`, {
      headers: { ...ownHeaders(serviceKey), accept: 'text/event-stream' },
      redirect: 'error',
      signal: AbortSignal.any([stop, silence.signal]),
    });
    if (!response.ok) read(replyOf(response, await response.text()), z.never());
    if (!response.headers.get('content-type')?.startsWith('text/event-stream') || !response.body)
      throw new Failed(FOREIGN);
    let text = '';
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      timer.refresh();
      const messages = `${text}${chunk}`.split('\n\n');
      text = messages.pop() ?? '';
      for (const message of messages) {
        const field = (name: string): string | null =>
          new RegExp(`^${name}: (.*)$`, 'm').exec(message)?.[1] ?? null;
        const id = field('id');
        if (id === null) throw new Failed(FOREIGN);
        yield { id, data: field('data') };
      }
    }
  } catch (error) {
    if (stop.aborted) return;
    throw error instanceof Failed || error instanceof CommandRefused ? error : unreachable(url, error);
  } finally {
    clearTimeout(timer);
  }
}

const baseOf = (url: string): string => url.replace(/\/$/, '');

const ownHeaders = (serviceKey: string): Record<string, string> => ({
  authorization: `Bearer ${serviceKey}`,
  'user-agent': `curfew/${programVersion()}`,
});

const unreachable = (url: string, error: unknown): Failed =>
  new Failed(`the server at ${baseOf(url)} cannot be reached: ${reasonOf(error)}.`);

function replyOf(response: Response, text: string): ApiReply {
  const parsed = parseJson(text);
  if (response.ok) return { ok: true, body: parsed };
  return { ok: false, status: response.status, problem: (parsed ?? {}) as Partial<Problem> };
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'no answer';
  if (error.name === 'TimeoutError') return 'no answer in time';
  const { cause } = error;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (code === 'ECONNREFUSED') return 'nothing listens at that address';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'no such host';
  return cause instanceof Error && cause.message !== '' ? cause.message : error.message;
}

const isProblem = (reply: ApiReply, code: keyof typeof PROBLEMS): boolean =>
  !reply.ok && reply.problem.code === code;

/** Returns the body of a success. @throws CommandRefused or Failed with the server's sentence otherwise */
function read<S extends z.ZodType>(reply: ApiReply, schema: S): z.infer<S> {
  if (!reply.ok) throw refusalOf(reply.status, reply.problem);
  const parsed = schema.safeParse(reply.body);
  if (!parsed.success) throw new Failed(FOREIGN);
  return parsed.data;
}

function accountOf(reply: ApiReply) {
  return isProblem(reply, 'not_found') ? null : read(reply, z.object({ user: accountSchema })).user;
}

function found(reply: ApiReply): boolean {
  if (isProblem(reply, 'not_found')) return false;
  read(reply, z.unknown());
  return true;
}

function refusalOf(status: number, { code, title, detail, field }: Partial<Problem>): Error {
  if (code === 'not_authenticated')
    return new Failed(
      'the server does not accept this CURFEW_SERVICE_KEY. Set it to an API key of that server with the scope admin.',
    );
  if (code === undefined) return new Failed(`the server answered ${status}. Is it a Curfew server?`);
  if (code === 'last_administrator') return new CommandRefused(LAST_ADMINISTRATOR);
  if (code === 'last_admin_key') return new CommandRefused(LAST_ADMIN_KEY);
  const sentence = detail ?? title ?? code;
  if (code === 'invalid_request')
    return new CommandRefused(
      field === 'password' ? sentence.replace(/^password:/, 'the password') + '.' : `${sentence}.`,
    );
  return status < 500 ? new CommandRefused(sentence) : new Failed(sentence);
}

function bodyOf(target: AdminTarget): Record<string, unknown> {
  switch (target.scope) {
    case 'sessions':
      return { scope: 'sessions', sessions: target.sids };
    case 'user':
      return { scope: 'user', user_id: target.userId };
    case 'users':
      return { scope: 'users', user_ids: target.userIds };
    case 'device':
      return { scope: 'device', user_id: target.userId, device_id: target.deviceId };
    case 'client':
      return { scope: 'client', client_id: target.clientId };
    case 'grant':
      return { scope: 'grant', user_id: target.userId, client_id: target.clientId };
    case 'login':
      return { scope: 'login', session: target.login };
    case 'tenant':
      return { scope: 'tenant', tenant: target.tenant };
    case 'everyone':
      return { scope: 'everyone' };
    case 'others':
      throw new Error('an operator has no session to spare');
  }
}

function parameters(values: Record<string, string | number | boolean | null>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value !== null) query.set(name, String(value));
  return query.toString();
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
