import { type ReadonlySignal, signal } from '@preact/signals';
import type { Client, LoggedOut, LogoutResult, CurrentSession, OwnSession } from '../session/client.ts';
import { confirmPassword } from '../session/confirm.ts';
import { type ApiFault, apiFaultOf, throwRefusal } from '../session/problem.ts';

/** The pause after a failed request, unless the server has named one. */
const AGAIN_MS = 3000;

/** The result of an act, for display. */
export interface DevicesLogout {
  /** The device, if the act was about one. */
  device: OwnSession | null;
  result: LogoutResult;
}

/** Changes that the user did not make here. */
interface Change {
  appeared: OwnSession[];
  vanished: OwnSession[];
}

/** The devices of the logged-in user, and what can be done with them. */
export interface Devices {
  readonly session: ReadonlySignal<CurrentSession | null>;
  /** Newest first; null until they are loaded, and when they must not be shown any more. */
  readonly list: ReadonlySignal<OwnSession[] | null>;
  /** The total, which may exceed the list. */
  readonly total: ReadonlySignal<number>;
  /** Whether there are more to load. */
  readonly hasMore: ReadonlySignal<boolean>;
  /** Why the list may be old, or is missing. */
  readonly problem: ReadonlySignal<ApiFault | null>;
  /** The session has ended: nothing else is shown. */
  readonly over: ReadonlySignal<LoggedOut | null>;
  readonly outcome: ReadonlySignal<DevicesLogout | null>;
  readonly change: ReadonlySignal<Change | null>;
  /** Devices that appeared while the page was open. */
  readonly fresh: ReadonlySignal<ReadonlySet<string>>;
  load(): Promise<void>;
  /** Loads more of the list. */
  more(): Promise<void>;
  /** Forgets all users' data until it is loaded again. */
  forget(): void;
  /** Ends one. @returns false when it had ended already. Throws the client's errors. */
  end(view: OwnSession): Promise<boolean>;
  endMany(scope: 'others' | 'all' | 'this'): Promise<void>;
  rename(view: OwnSession, name: string): Promise<void>;
  /** Confirms the password, for acts that require it. */
  confirm(password: string): Promise<void>;
  close(): void;
}

/** @param authority its address, if not the page's own */
export function createDevices(client: Client, authority: string = location.origin): Devices {
  const session = signal<CurrentSession | null>(null);
  const list = signal<OwnSession[] | null>(null);
  const total = signal(0);
  const hasMore = signal(false);
  /** The number of pages that the user has opened. */
  let pages = 1;
  const problem = signal<ApiFault | null>(null);
  const over = signal<LoggedOut | null>(null);
  const outcome = signal<DevicesLogout | null>(null);
  const change = signal<Change | null>(null);
  const fresh = signal<ReadonlySet<string>>(new Set());
  /** Ended from here: their disappearance is no news. */
  const endedHere = new Set<string>();
  let loading: Promise<void> | null = null;
  let again = false;
  let later: number | undefined;

  const finish = (why: LoggedOut): void => {
    clearTimeout(later);
    list.value = null;
    session.value = null;
    over.value = why;
  };

  const loadOnce = async (): Promise<void> => {
    clearTimeout(later);
    try {
      const current = await client.session();
      if (!current) {
        finish(client.endedBecause ?? nobodyKnows());
        return;
      }
      const next: OwnSession[] = [];
      let page = await client.sessionsPage();
      next.push(...page.sessions);
      for (let nth = 1; nth < pages && page.next !== null; nth++) {
        page = await client.sessionsPage({ before: page.next });
        next.push(...page.sessions);
      }
      if (over.value) return;
      total.value = page.total;
      hasMore.value = page.next !== null;
      session.value = current;
      const before = list.value;
      if (before) noteChange(before, next);
      list.value = next;
      problem.value = null;
    } catch (error) {
      const { code, retryAfter } = apiFaultOf(error);
      problem.value = { code, retryAfter };
      const waitMs = retryAfter === null ? AGAIN_MS : retryAfter * 1000;
      if (!over.value) later = window.setTimeout(changed, waitMs * (0.5 + Math.random()));
    }
  };

  const noteChange = (before: OwnSession[], next: OwnSession[]): void => {
    const had = new Set(before.map((view) => view.id));
    const has = new Set(next.map((view) => view.id));
    // This device is no news: it has another session after a confirmed password.
    const appeared = next.filter((view) => !had.has(view.id) && !view.current);
    const vanished = before.filter((view) => !has.has(view.id) && !endedHere.has(view.id) && !view.current);
    if (appeared.length === 0 && vanished.length === 0) return;
    fresh.value = new Set([...fresh.value, ...appeared.map((view) => view.id)]);
    change.value = { appeared, vanished };
  };

  /** Removes sessions that were ended here from the list. */
  const leave = (gone: OwnSession[]): void => {
    const before = list.value ?? [];
    list.value = list.value && before.filter((view) => !gone.includes(view));
    total.value -= before.length - (list.value?.length ?? 0);
  };

  /** The notice of the end may come before the answer; without one before, a later notice is news. */
  const endingHere = async <T>(views: OwnSession[], work: () => Promise<T>): Promise<T> => {
    for (const { id } of views) endedHere.add(id);
    try {
      return await work();
    } catch (error) {
      for (const { id } of views) endedHere.delete(id);
      throw error;
    }
  };

  const load = (): Promise<void> => {
    // Requests during a load start one more load after it: changes meanwhile must show.
    if (loading) {
      again = true;
      return loading;
    }
    loading = (async () => {
      do {
        again = false;
        await loadOnce();
      } while (again && !over.value);
    })().finally(() => {
      loading = null;
    });
    return loading;
  };

  // Loading the list counts as activity, so a hidden page must not do it, or the session would never idle out.
  let stale = false;
  const changed = (): void => {
    if (document.visibilityState === 'visible') void load();
    else stale = true;
  };
  const seen = (): void => {
    if (document.visibilityState === 'visible' && stale) {
      stale = false;
      void load();
    }
  };
  document.addEventListener('visibilitychange', seen);
  const stops = [
    client.onLoggedOut(finish),
    client.onSessionsChanged(changed),
    () => document.removeEventListener('visibilitychange', seen),
    () => clearTimeout(later),
  ];

  return {
    session,
    list,
    total,
    hasMore,
    problem,
    over,
    outcome,
    change,
    fresh,
    load,
    async more() {
      pages++;
      await load();
    },
    forget() {
      session.value = null;
      list.value = null;
      outcome.value = null;
      change.value = null;
    },
    async end(view) {
      const result = await endingHere([view], () =>
        client.logout({ scope: 'selected', sessions: [view.id] }),
      );
      const ended = result.server === 'pending' || result.ended > 0;
      if (ended) outcome.value = { device: view, result };
      leave([view]);
      return ended;
    },
    async endMany(scope) {
      const others = (list.value ?? []).filter((view) => !view.current);
      const result = await endingHere(others, () => client.logout({ scope }));
      outcome.value = { device: null, result };
      if (scope !== 'others') return;
      leave(others);
      total.value = list.value?.length ?? 0;
      hasMore.value = false;
    },
    async rename(view, name) {
      const url = `${authority}/v1/sessions/${encodeURIComponent(view.id)}`;
      const kept = (await send(client, url, 'PATCH', { name })) as { name: string };
      list.value =
        list.value?.map((one) =>
          one.id === view.id ? { ...one, device: { ...one.device, name: kept.name } } : one,
        ) ?? null;
    },
    async confirm(password) {
      await confirmPassword(client, authority, password);
    },
    close() {
      for (const stop of stops) stop();
    },
  };
}

/** An API request for which the client has no method. */
async function send(client: Client, url: string, method: string, body: object): Promise<unknown> {
  const response = await client.fetch(url, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  await throwRefusal(response);
  return response.status === 204 ? null : response.json();
}

const nobodyKnows = (): LoggedOut => ({
  reason: 'unknown',
  by: 'unknown',
  at: new Date().toISOString(),
  sessionId: null,
  where: 'found',
});
