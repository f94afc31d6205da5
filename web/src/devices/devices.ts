import { signal } from '@preact/signals';
import { whenVisible } from '../page/when-visible.ts';
import type {
  Client,
  LoggedOut,
  LogoutOptions,
  LogoutResult,
  CurrentSession,
  OwnSession,
} from '../session/client.ts';
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
export class Devices {
  readonly session = signal<CurrentSession | null>(null);
  /** Newest first; null until they are loaded, and when they must not be shown any more. */
  readonly list = signal<OwnSession[] | null>(null);
  /** The total, which may exceed the list. */
  readonly total = signal(0);
  /** Whether there are more to load. */
  readonly hasMore = signal(false);
  /** Why the list may be old, or is missing. */
  readonly problem = signal<ApiFault | null>(null);
  /** The session has ended: nothing else is shown. */
  readonly over = signal<LoggedOut | null>(null);
  readonly outcome = signal<DevicesLogout | null>(null);
  readonly change = signal<Change | null>(null);
  /** Devices that appeared while the page was open. */
  readonly fresh = signal<ReadonlySet<string>>(new Set());

  readonly #client: Client;
  readonly #authority: string;
  /** The number of pages that the user has opened. */
  #pages = 1;
  /** Ended from here: their disappearance is no news. */
  readonly #endedHere = new Set<string>();
  #loading: Promise<void> | null = null;
  #again = false;
  #later: number | undefined;
  /** Loading the list counts as activity, so a hidden page must not do it, or the session would never idle out. */
  readonly #reload = whenVisible(() => this.load());
  readonly #stops: (() => void)[];

  /** @param authority its address, if not the page's own */
  constructor(client: Client, authority: string = location.origin) {
    this.#client = client;
    this.#authority = authority;
    this.#stops = [
      client.onLoggedOut((why) => this.#finish(why)),
      client.onSessionsChanged(() => this.#reload.want()),
    ];
  }

  /** How many there are besides this one. */
  get others(): number {
    return this.total.value - (this.list.value ?? []).filter(({ current }) => current).length;
  }

  load(): Promise<void> {
    // Requests during a load start one more load after it: changes meanwhile must show.
    this.#again = this.#loading !== null;
    this.#loading ??= this.#loadAll().finally(() => {
      this.#loading = null;
    });
    return this.#loading;
  }

  /** Loads more of the list. */
  async more(): Promise<void> {
    this.#pages++;
    await this.load();
  }

  /** Forgets all users' data until it is loaded again. */
  forget(): void {
    this.session.value = null;
    this.list.value = null;
    this.outcome.value = null;
    this.change.value = null;
  }

  /** Ends one. @returns false when it had ended already. Throws the client's errors. */
  async end(view: OwnSession): Promise<boolean> {
    const result = await this.#endHere([view], { scope: 'selected', sessions: [view.id] });
    const ended = result.server === 'pending' || result.ended > 0;
    if (ended) this.outcome.value = { device: view, result };
    this.#remove([view]);
    return ended;
  }

  async endMany(scope: 'others' | 'all' | 'this'): Promise<void> {
    const others = (this.list.value ?? []).filter((view) => !view.current);
    const result = await this.#endHere(others, { scope });
    this.outcome.value = { device: null, result };
    if (scope !== 'others') return;
    this.#remove(others);
    this.total.value = this.list.value?.length ?? 0;
    this.hasMore.value = false;
  }

  async rename(view: OwnSession, name: string): Promise<void> {
    const response = await this.#client.fetch(
      `${this.#authority}/v1/sessions/${encodeURIComponent(view.id)}`,
      {
        method: 'PATCH',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name }),
      },
    );
    await throwRefusal(response);
    const kept = (await response.json()) as { name: string };
    this.list.value =
      this.list.value?.map((one) =>
        one.id === view.id ? { ...one, device: { ...one.device, name: kept.name } } : one,
      ) ?? null;
  }

  /** Confirms the password, for acts that require it. */
  confirm(password: string): Promise<void> {
    return confirmPassword(this.#client, this.#authority, password);
  }

  close(): void {
    for (const stop of this.#stops) stop();
    this.#reload.stop();
    clearTimeout(this.#later);
  }

  async #loadAll(): Promise<void> {
    do {
      this.#again = false;
      await this.#loadOnce();
    } while (this.#again && !this.over.value);
  }

  async #loadOnce(): Promise<void> {
    clearTimeout(this.#later);
    try {
      const current = await this.#client.session();
      if (!current) {
        this.#finish(this.#client.endedBecause ?? nobodyKnows());
        return;
      }
      const { sessions, total, hasMore } = await this.#readPages();
      if (this.over.value) return;
      this.total.value = total;
      this.hasMore.value = hasMore;
      this.session.value = current;
      if (this.list.value) this.#note(this.#changeSince(this.list.value, sessions));
      this.list.value = sessions;
      this.problem.value = null;
    } catch (error) {
      const { code, retryAfter } = apiFaultOf(error);
      this.problem.value = { code, retryAfter };
      const waitMs = (retryAfter === null ? AGAIN_MS : retryAfter * 1000) * (0.5 + Math.random());
      if (!this.over.value) this.#later = window.setTimeout(() => this.#reload.want(), waitMs);
    }
  }

  async #readPages(): Promise<{ sessions: OwnSession[]; total: number; hasMore: boolean }> {
    let page = await this.#client.sessionsPage();
    const sessions = [...page.sessions];
    for (let nth = 1; nth < this.#pages && page.next !== null; nth++) {
      page = await this.#client.sessionsPage({ before: page.next });
      sessions.push(...page.sessions);
    }
    return { sessions, total: page.total, hasMore: page.next !== null };
  }

  #changeSince(before: OwnSession[], next: OwnSession[]): Change {
    const had = new Set(before.map((view) => view.id));
    const has = new Set(next.map((view) => view.id));
    // This device is no news: it has another session after a confirmed password.
    const others = (views: OwnSession[]): OwnSession[] => views.filter((view) => !view.current);
    return {
      appeared: others(next).filter((view) => !had.has(view.id)),
      vanished: others(before).filter((view) => !has.has(view.id) && !this.#endedHere.has(view.id)),
    };
  }

  #note({ appeared, vanished }: Change): void {
    if (appeared.length === 0 && vanished.length === 0) return;
    this.fresh.value = new Set([...this.fresh.value, ...appeared.map((view) => view.id)]);
    this.change.value = { appeared, vanished };
  }

  /** The notice of the end may come before the answer; without one before, a later notice is news. */
  async #endHere(views: OwnSession[], asked: LogoutOptions): Promise<LogoutResult> {
    for (const { id } of views) this.#endedHere.add(id);
    try {
      return await this.#client.logout(asked);
    } catch (error) {
      for (const { id } of views) this.#endedHere.delete(id);
      throw error;
    }
  }

  /** Removes sessions that were ended here from the list. */
  #remove(gone: OwnSession[]): void {
    const before = this.list.value ?? [];
    this.list.value = this.list.value && before.filter((view) => !gone.includes(view));
    this.total.value -= before.length - (this.list.value?.length ?? 0);
  }

  #finish(why: LoggedOut): void {
    clearTimeout(this.#later);
    this.list.value = null;
    this.session.value = null;
    this.over.value = why;
  }
}

const nobodyKnows = (): LoggedOut => ({
  reason: 'unknown',
  by: 'unknown',
  at: new Date().toISOString(),
  sessionId: null,
  where: 'found',
});
