/**
 * What the server has acknowledged, recorded by its clients, outside the process that is killed. Each client has its own users
 * and does one thing after the other, so that after every answer it is known which sessions are alive.
 */
import { expect } from 'vitest';
import { SERVICE_KEY, type Answer } from '../support.ts';
import type { ServerChild } from './server-child.ts';

type Server = Pick<ServerChild, 'call'>;

/** In or out by an answer; unsure when the server died, or failed, over an ending that named it. */
type State = 'in' | 'out' | 'unsure';

interface Entry {
  sid: string;
  userId: number;
  bearer: string;
  refresh: string | undefined;
  /** Since when its refresh token may be spent: it was presented, and the answer was lost. */
  lostMs: number | null;
  state: State;
}

/** Well within the grace (CURFEW_REFRESH_GRACE_SECONDS): until then the successor of a spent token is given again. */
const AGAIN_MS = 5000;
const canRefresh = ({ refresh, lostMs }: Entry): boolean =>
  refresh !== undefined && (lostMs === null || performance.now() - lostMs < AGAIN_MS);

/** An ending whose answer never came: it has happened whole, or not at all. */
interface Unsure {
  what: string;
  entries: Entry[];
}

export interface Ledger {
  entries: Entry[];
  unsure: Unsure[];
  /** Unexpected answers. */
  surprises: string[];
  logouts: number;
  /** Answers of any kind. */
  answers: number;
  /** Endings that were answered with an error: status and text. */
  failures: { contract: string; status: number; text: string }[];
}

export const emptyLedger = (): Ledger => ({
  entries: [],
  unsure: [],
  surprises: [],
  logouts: 0,
  answers: 0,
  failures: [],
});

/** One client: it opens, refreshes and ends the sessions of its user, and records what is answered. */
export class LedgerClient {
  readonly #ledger: Ledger;
  readonly #userId: number;
  readonly #serverMayDie: boolean;
  readonly #random: () => number;
  readonly #mine: Entry[] = [];

  /**
   * @param serverMayDie whether an answer that does not come is expected: the server is killed, and not its database
   * @param random chooses the acts, and their sessions
   */
  constructor(ledger: Ledger, userId: number, serverMayDie: boolean, random: () => number = Math.random) {
    this.#ledger = ledger;
    this.#userId = userId;
    this.#serverMayDie = serverMayDie;
    this.#random = random;
  }

  /** Works until it is stopped, or the server is gone. */
  async work(server: Server, until: () => boolean): Promise<void> {
    while (!until()) {
      const dice = this.#random();
      try {
        if (dice < 0.4 || this.#living().length === 0) await this.#open(server);
        else if (dice < 0.55) await this.#refresh(server);
        else await this.#logOut(server);
        this.#ledger.answers++;
      } catch (error) {
        // The connection broke: nothing was answered.
        if (!this.#serverMayDie) this.#ledger.surprises.push(`the server did not answer: ${String(error)}`);
        return;
      }
    }
  }

  #living(): Entry[] {
    return this.#mine.filter((entry) => entry.state === 'in');
  }

  #pick<T>(list: readonly T[]): T | undefined {
    return list[Math.floor(this.#random() * list.length)];
  }

  async #open(server: Server): Promise<void> {
    const transport = this.#random() < 0.6 ? 'bearer' : 'opaque';
    const answer = await server.call('POST', '/v1/admin/sessions', {
      bearer: SERVICE_KEY,
      body: { user_id: this.#userId, transport, count: 3 },
    });
    if (answer.status === 503) return;
    if (answer.status !== 200) {
      this.#ledger.surprises.push(`opening: ${answer.status} ${answer.text}`);
      return;
    }
    for (const one of answer.json.sessions) {
      const entry: Entry = {
        sid: one.session.id,
        userId: this.#userId,
        bearer: one.access_token ?? one.session_token,
        refresh: one.refresh_token,
        lostMs: null,
        state: 'in',
      };
      this.#mine.push(entry);
      this.#ledger.entries.push(entry);
    }
  }

  async #end(contract: string, ended: Entry[], ask: () => Promise<Answer>): Promise<void> {
    for (const entry of ended) entry.state = 'unsure';
    const unsure: Unsure = { what: contract, entries: ended };
    this.#ledger.unsure.push(unsure);
    const answer = await ask();
    if (answer.status === 200) {
      for (const entry of ended) entry.state = 'out';
      this.#ledger.unsure.splice(this.#ledger.unsure.indexOf(unsure), 1);
      this.#ledger.logouts++;
    } else {
      this.#ledger.failures.push({ contract, status: answer.status, text: answer.text });
    }
  }

  async #logOut(server: Server): Promise<void> {
    const all = this.#living();
    const one = this.#pick(all);
    if (!one) return;
    const { bearer } = one;
    const opaque = bearer.startsWith('sess_');
    switch (Math.floor(this.#random() * 6)) {
      case 0:
        return this.#end('all', all, () =>
          server.call('POST', '/v1/logout', { bearer, body: { scope: 'all' } }),
        );
      case 1:
        return this.#end(
          'others',
          all.filter((entry) => entry !== one),
          () => server.call('POST', '/v1/logout', { bearer, body: { scope: 'others' } }),
        );
      case 2: {
        const some = all.filter((entry) => entry === one || this.#random() < 0.5);
        return this.#end('selected', some, () =>
          server.call('POST', '/v1/admin/logout', {
            bearer: SERVICE_KEY,
            body: { scope: 'sessions', sessions: some.map((entry) => entry.sid) },
          }),
        );
      }
      case 3:
        if (!opaque) return this.#end('001', all, () => server.call('POST', '/auth/logout', { bearer }));
        return this.#end('002', [one], () =>
          server.call('POST', `/api/auth/logout?userId=${this.#userId}&sessionId=${bearer}`),
        );
      case 4:
        return this.#end('003', all, () => server.call('POST', '/api/v1/auth/logout', { bearer }));
      default:
        return this.#end('this', [one], () => server.call('POST', '/v1/logout', { bearer }));
    }
  }

  async #refresh(server: Server): Promise<void> {
    const one = this.#pick(this.#living().filter(canRefresh));
    if (!one) return;
    // Should the answer be lost, or be that the database was, it can be asked for once more.
    one.lostMs ??= performance.now();
    const answer = await server.call('POST', '/v1/refresh', { body: { refresh_token: one.refresh } });
    if (answer.status === 200) {
      one.lostMs = null;
      one.bearer = answer.json.access_token;
      one.refresh = answer.json.refresh_token;
    } else if (answer.status !== 503) {
      this.#ledger.surprises.push(`refreshing: ${answer.status} ${answer.text}`);
    }
  }
}

/**
 * Presents every credential of the entries and compares. Uncertain entries become certain: an ending is found whole or not at
 * all, and stays as it was found.
 */
export async function replay(ledger: Ledger, server: Server, entries: readonly Entry[]): Promise<void> {
  const found = new Map<Entry, boolean>();
  const wrong: string[] = [];
  const queue = [...new Set([...entries, ...ledger.unsure.flatMap((one) => one.entries)])];
  const worker = async (): Promise<void> => {
    for (let entry = queue.pop(); entry; entry = queue.pop()) {
      const { status } = await server.call('GET', '/v1/check', { bearer: entry.bearer });
      if (status !== 200 && status !== 401) wrong.push(`${entry.sid}: the check answered ${status}`);
      found.set(entry, status === 200);
      if (entry.state === 'in' && status !== 200) wrong.push(`${entry.sid}: logged in, and is gone`);
      if (entry.state === 'out' && status !== 401) wrong.push(`${entry.sid}: logged out, and is back`);
    }
  };
  await Promise.all(Array.from({ length: 4 }, worker));
  for (const { what, entries: named } of ledger.unsure) {
    const alive = named.filter((entry) => found.get(entry) === true).length;
    if (alive !== 0 && alive !== named.length)
      wrong.push(`an unanswered logout (${what}) ended ${named.length - alive} of ${named.length}`);
    for (const entry of named) entry.state = found.get(entry) ? 'in' : 'out';
  }
  ledger.unsure.length = 0;
  expect(wrong).toEqual([]);
  expect(ledger.surprises).toEqual([]);
}

/** Presents the refresh tokens. Those of ended sessions give no successor; of live sessions, each unspent one does. */
export async function replayRefreshTokens(server: Server, entries: readonly Entry[]): Promise<void> {
  const wrong: string[] = [];
  for (const entry of entries) {
    if (entry.refresh === undefined || entry.state === 'unsure') continue;
    const { status } = await server.call('POST', '/v1/refresh', { body: { refresh_token: entry.refresh } });
    if (entry.state === 'in' && entry.lostMs !== null) continue;
    if ((status === 200) !== (entry.state === 'in'))
      wrong.push(`${entry.sid}: ${entry.state}, and ${status}`);
  }
  expect(wrong).toEqual([]);
}

/** A user without a password, made by the service. */
export async function makeUser(server: Server, email: string): Promise<number> {
  const made = await server.call('POST', '/v1/admin/users', { bearer: SERVICE_KEY, body: { email } });
  if (made.status !== 201) throw new Error(`no user: ${made.status} ${made.text}`);
  return made.json.user.id;
}
