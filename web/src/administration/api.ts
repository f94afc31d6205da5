import type { Client, Told } from '../session/client.ts';
import { throwRefusal } from '../session/problem.ts';

/* What the administration asks of the public API, and nothing beside it. */

export interface Account {
  id: number;
  email: string;
  name: string;
  role: 'user' | 'admin';
  workspace: string;
  created_at: string;
  disabled_at: string | null;
}

export interface AdminSession {
  id: string;
  user_id: number;
  email: string;
  client_id: string;
  contract: string;
  device: { id: string; name: string; browser: string | null; system: string | null };
  ip_address: string | null;
  place: { city: Record<string, string>; country: string | null } | null;
  created_at: string;
  last_seen_at: string;
  expires_at: string;
  idle_expires_at: string;
  active: boolean;
  ended: { at: string; by: string; reason: string } | null;
}

export interface LogEvent {
  position: number;
  at: string;
  type: string;
  scope: string | null;
  reason: string | null;
  user_id: number | null;
  user_ids: number[] | null;
  session_ids: string[] | null;
  client_id: string | null;
  device_id: string | null;
  actor: string;
  contract: string | null;
  ip_address: string | null;
  user_agent: string | null;
  details: { note?: string; others?: true } | null;
  /** Of what was refused: so many attempts, from `at` to `last_at`. */
  count: number | null;
  last_at: string | null;
}

export interface Application {
  client_id: string;
  name: string;
  sessions: number | null;
}

export interface Ended extends Told {
  /** More are over than were counted; their rows are marked in the background. */
  more: boolean;
}

export interface Span {
  at: string;
  count: number;
  p50: number | null;
  p99: number | null;
  max: number | null;
  waited_out: number;
}

export interface Degraded {
  code: string;
  level: 'trouble' | 'notice';
  facts: Record<string, string | number>;
}

interface Marking {
  position: number;
  scope: string;
  at: string;
  left: number;
}

export interface SystemState {
  at: string;
  node: { id: string; fresh: boolean; age_ms: number | null };
  nodes: { id: string; this: boolean; started_at: string; silent: boolean }[];
  verifiers: {
    replica: string;
    address: string | null;
    since: string;
    age_ms: number | null;
    unread_bytes: number;
    behind: number;
  }[];
  verifier_count: number;
  propagation: { span_ms: number; spans: Span[] };
  readers: {
    name: string;
    behind: number | null;
    more: boolean;
    oldest_ms: number | null;
    failures: number;
    last_done: string | null;
  }[];
  database: { kind: 'postgresql' | 'embedded'; answers: boolean; latency_ms: number | null };
  redis: 'up' | 'away' | 'none';
  notices: { listeners: number };
  sessions: { alive: number; counted_at: string } | null;
  marking: Marking[];
  degraded: Degraded[];
}

/** Whom a logout reaches, as `POST /v1/admin/logout` takes it. */
type Target =
  | { scope: 'sessions'; sessions: string[] }
  | { scope: 'user'; user_id: number }
  | { scope: 'application'; client_id: string }
  | { scope: 'everyone'; confirm?: number };

export interface Sessions {
  sessions: AdminSession[];
  /** There are others beyond these. */
  more: boolean;
}

/** What the API gives of a list at most at once, and takes. */
const AT_ONCE = 1000;

export type Query = Record<string, string | number | null | undefined>;

export interface Api {
  users(query: Query, signal: AbortSignal): Promise<{ users: Account[]; next: number | null }>;
  user(id: number): Promise<Account>;
  change(id: number, change: { role?: Account['role']; disabled?: boolean }): Promise<Account>;
  /** @returns the new password */
  resetPassword(id: number): Promise<string>;
  /** The newest sessions of a user, so many at least where there are: those alive, or with `ended` those that are over. */
  sessionsOf(userId: number, ended: boolean, atLeast: number): Promise<Sessions>;
  applications(): Promise<{ applications: Application[]; counted_at: string | null }>;
  /** @throws Refused; `confirmation_required` carries the count */
  end(target: Target): Promise<Ended>;
  /** How many sessions "everyone" would end. Ends none. */
  countEveryone(): Promise<number>;
  events(query: Query): Promise<{ events: LogEvent[]; next: number | null }>;
  state(): Promise<SystemState>;
}

/** @param askForPassword asks for it, and answers whether the act can be repeated (`login_too_old`) */
export function createApi(client: Client, askForPassword: () => Promise<boolean>): Api {
  const ask = async (path: string, init: RequestInit = {}): Promise<Response> =>
    client.fetch(new URL(`/v1/admin/${path}`, location.origin), init);
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
      const sessions: AdminSession[] = [];
      let before: string | null = null;
      do {
        const limit = Math.min(AT_ONCE, atLeast - sessions.length);
        const query: Query = { user_id: userId, ended: ended ? 'only' : 'false', limit, before };
        const page = await get<{ sessions: AdminSession[]; next: string | null }>('sessions', query);
        sessions.push(...page.sessions);
        before = page.next;
      } while (before !== null && sessions.length < atLeast);
      return { sessions, more: before !== null };
    },
    applications: () => get('applications'),
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
        waitedOut: Math.max(first.waitedOut, rest.waitedOut),
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

/** The part of an address after the path: what is not given is left out. */
export function searchOf(query: Query): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== null && value !== undefined && value !== '') search.set(name, String(value));
  const text = search.toString();
  return text === '' ? '' : `?${text}`;
}
