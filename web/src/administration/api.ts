import type { ListedClient } from '@curfew/protocol/wire/client';
import type { LoggedEvent } from '@curfew/protocol/wire/event';
import type { Logout } from '@curfew/protocol/wire/logout';
import type { UserSession } from '@curfew/protocol/wire/session';
import type { SystemState } from '@curfew/protocol/wire/system-state';
import type { Account } from '@curfew/protocol/wire/user';
import type { Client } from '../session/client.ts';
import { throwRefusal } from '../session/problem.ts';
import { base } from '../page/base.ts';

/* The administration's calls of the public API. */

/** The target of a logout, as `POST /v1/admin/logout` takes it. */
export type LogoutTarget =
  | { scope: 'sessions'; sessions: string[] }
  | { scope: 'user'; user_id: number }
  | { scope: 'client'; client_id: string }
  | { scope: 'everyone'; confirm?: number };

export interface AccountChange {
  role?: Account['role'];
  disabled?: boolean;
}

export interface Sessions {
  sessions: UserSession[];
  /** There are more. */
  more: boolean;
}

/** The most entries of a list that the API returns, and accepts. */
const AT_ONCE = 1000;

export type Query = Record<string, string | number | null | undefined>;

export interface Api {
  users(query: Query, signal: AbortSignal): Promise<{ users: Account[]; next: number | null }>;
  user(id: number): Promise<Account>;
  change(id: number, change: AccountChange): Promise<Account>;
  /** @returns the new password */
  resetPassword(id: number): Promise<string>;
  /** At least this many of the user's newest sessions, if there are: live ones, or with `ended` those that ended. */
  sessionsOf(userId: number, ended: boolean, atLeast: number): Promise<Sessions>;
  clients(): Promise<{ clients: ListedClient[]; counted_at: string | null }>;
  /** @throws Refused; `confirmation_required` carries the count */
  end(target: LogoutTarget): Promise<Logout>;
  /** The number of sessions that "everyone" would end. Ends none. */
  countEveryone(): Promise<number>;
  events(query: Query): Promise<{ events: LoggedEvent[]; next: number | null }>;
  state(): Promise<SystemState>;
}

/** @param askForPassword asks for it, and answers whether the act can be repeated (`login_too_old`) */
export function createApi(client: Client, askForPassword: () => Promise<boolean>): Api {
  const ask = async (path: string, init: RequestInit = {}): Promise<Response> =>
    client.fetch(new URL(`${base}/v1/admin/${path}`, location.origin), init);
  const get = async <T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> => {
    const response = await ask(`${path}${searchOf(query)}`, signal ? { signal } : {});
    await throwRefusal(response);
    return response.json() as Promise<T>;
  };
  const postOnce = (path: string, body: object, method: string): Promise<Response> =>
    ask(path, { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  const post = async (path: string, body: object, method = 'POST'): Promise<Response> => {
    const response = await postOnce(path, body, method);
    if (response.status !== 403) return response;
    const { code } = (await response.clone().json()) as { code?: string };
    const repeats = code === 'login_too_old' && (await askForPassword());
    return repeats ? postOnce(path, body, method) : response;
  };
  const send = async <T>(path: string, body: object, method?: string): Promise<T> => {
    const response = await post(path, body, method);
    await throwRefusal(response);
    return response.json() as Promise<T>;
  };
  return {
    users: (query, signal) => get('users', query, signal),
    user: async (id) => (await get<{ user: Account }>(`users/${id}`)).user,
    change: async (id, change) => (await send<{ user: Account }>(`users/${id}`, change, 'PATCH')).user,
    resetPassword: async (id) => (await send<{ password: string }>(`users/${id}/password`, {})).password,
    async sessionsOf(userId, ended, atLeast) {
      const sessions: UserSession[] = [];
      let before: string | null = null;
      do {
        const limit = Math.min(AT_ONCE, atLeast - sessions.length);
        const query: Query = { user_id: userId, ended: ended ? 'only' : 'false', limit, before };
        const page = await get<{ sessions: UserSession[]; next: string | null }>('sessions', query);
        sessions.push(...page.sessions);
        before = page.next;
      } while (before !== null && sessions.length < atLeast);
      return { sessions, more: before !== null };
    },
    clients: () => get('clients'),
    async end(target) {
      if (target.scope !== 'sessions' || target.sessions.length <= AT_ONCE) return send('logout', target);
      const first = await this.end({ ...target, sessions: target.sessions.slice(0, AT_ONCE) });
      const rest = await this.end({ ...target, sessions: target.sessions.slice(AT_ONCE) });
      return {
        ended: first.ended + rest.ended,
        more: first.more || rest.more,
        confirmed: first.confirmed && rest.confirmed,
        ms: first.ms + rest.ms,
        acknowledged: Math.min(first.acknowledged, rest.acknowledged),
        waited_out: Math.max(first.waited_out, rest.waited_out),
      };
    },
    async countEveryone() {
      const response = await post('logout', { scope: 'everyone' });
      if (response.status === 409) return ((await response.json()) as { count: number }).count;
      await throwRefusal(response);
      throw new Error('everyone was logged out without being asked');
    },
    events: (query) => get('events', query),
    state: () => get('state'),
  };
}

/** The query of an address, without undefined values. */
export function searchOf(query: Query): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== null && value !== undefined && value !== '') search.set(name, String(value));
  const text = search.toString();
  return text === '' ? '' : `?${text}`;
}
