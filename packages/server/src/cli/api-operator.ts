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
import {
  type ApiReply,
  type AskServer,
  FOREIGN,
  wasFound,
  isProblem,
  parameters,
  parseJson,
  read,
  request,
  stream,
} from './ask-server.ts';
import type { Operator, UserOperations } from './operator.ts';

/** Works through a running server, with a key. */
export function apiOperator(url: string, serviceKey: string): Operator {
  const call: AskServer = (method, path, body) => request(url, serviceKey, method, path, body);
  return {
    ...userCalls(call),
    ...sessionCalls(call),
    ...clientCalls(call),
    ...keyCalls(call),
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
    close: async () => undefined,
  };
}

function userCalls(call: AskServer): UserOperations {
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
      return wasFound(await call('DELETE', `/v1/admin/users/${id}`, confirming(confirmsLast)));
    },
    async setPassword(id, password) {
      return wasFound(await call('POST', `/v1/admin/users/${id}/password`, { password }));
    },
  };
}

function sessionCalls(call: AskServer): Pick<Operator, 'sessions' | 'preview' | 'end' | 'watchMarking'> {
  return {
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
  };
}

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

type KeyCalls = Pick<Operator, 'apiKeys' | 'createApiKey' | 'revokeApiKey' | 'keys' | 'rotateKeys'>;

function keyCalls(call: AskServer): KeyCalls {
  return {
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

function accountOf(reply: ApiReply) {
  return isProblem(reply, 'not_found') ? null : read(reply, z.object({ user: accountSchema })).user;
}

const confirming = (confirmsLast: boolean): object | undefined =>
  confirmsLast ? { confirm_last_administrator: true } : undefined;

const keysSchema = z.object({ keys: z.array(keySchema) });

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
