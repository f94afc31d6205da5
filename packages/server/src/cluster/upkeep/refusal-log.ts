import { sourceOf } from '../../domain/ip-address.ts';
import { OTHERS, type RefusalType } from '../../domain/refusal-types.ts';
import type { Database } from '../../store/database.ts';
import { type Refusal, writeRefusals } from '../../store/refusals.ts';
import type { System } from '../../system/system.ts';
import { Soon } from '../../system/timers.ts';
import { coalesced } from '../../system/coalesced.ts';

const MINUTE_MS = 60_000;
/** Written a moment after it happened, so that the answer comes first. */
const GATHER_MS = 50;
/** The shortest time between two statements in a flood. A crash loses as much of it. */
const EVERY_MS = 250;
/** After a failure. */
const AGAIN_MS = 2000;
/** Beyond this many sources in a minute an account has one row for all others. */
const SOURCES_PER_ACCOUNT = 10;
/** New rows of a minute, by what they name; beyond them there is one row for each kind, so no flood displaces the others. */
const ROWS = { account: 1000, typed: 200, nobody: 100 };
/** While the database accepts nothing. */
const MOST_PENDING = 5000;

/** The details of a refusal besides its kind. */
interface RefusedRequest {
  contract: string;
  ipAddress: string | null;
  userAgent: string;
  requestId: string | null;
}

/**
 * Refusals, gathered in memory and written periodically: recording one delays no answer, takes the same time whether or not the
 * account exists, and needs no connection of logouts.
 */
export class RefusalLog {
  readonly #database: Database;
  readonly #system: System;
  /** Writes what was recorded before the call. A failure is logged, and tried again. */
  readonly write: () => Promise<void>;
  #minuteMs = 0;
  /** The rows of this minute, and the sources of each account. */
  readonly #rows = new Set<string>();
  readonly #sources = new Map<string, number>();
  #left = { ...ROWS };
  #pending = new Map<string, Refusal>();
  #lost = 0;
  readonly #writing: Soon;
  #writtenMs = Number.NEGATIVE_INFINITY;

  constructor(database: Database, system: System) {
    this.#database = database;
    this.#system = system;
    this.write = coalesced(() => this.#write());
    this.#writing = new Soon(system, () => void this.write());
  }

  /** @param who the account; or the text of the address field, which is looked up later and not stored; or null */
  note(
    type: RefusalType,
    who: number | string | null,
    request: RefusedRequest,
    more: { clientId?: string; code?: string } = {},
  ): void {
    const at = this.#system.now();
    const minuteMs = Math.floor(at.getTime() / MINUTE_MS) * MINUTE_MS;
    if (minuteMs > this.#minuteMs) this.#beginMinute(minuteMs);
    const row = this.#rowOf(type, who, sourceOf(request.ipAddress));
    const key = `${this.#minuteMs} ${row.key}`;
    const last: Refusal['last'] = {
      contract: request.contract,
      client_id: more.clientId ?? null,
      ip_address: request.ipAddress,
      user_agent: request.userAgent.slice(0, 512).toWellFormed().replaceAll('\0', ''),
      request_id: request.requestId,
      code: more.code ?? null,
    };
    const known = this.#pending.get(key);
    if (known) this.#pending.set(key, { ...known, count: known.count + 1, lastAt: at, last });
    else if (this.#pending.size >= MOST_PENDING) this.#lost++;
    else
      this.#pending.set(key, {
        type,
        userId: typeof row.who === 'number' ? row.who : null,
        typed: typeof row.who === 'string' ? row.who : null,
        source: row.source,
        minute: new Date(this.#minuteMs),
        count: 1,
        at,
        lastAt: at,
        last,
      });
    this.#writing.in(Math.max(GATHER_MS, this.#writtenMs + EVERY_MS - this.#system.monotonicMs()));
  }

  async close(): Promise<void> {
    await this.write();
    this.#writing.callOff();
  }

  #beginMinute(minuteMs: number): void {
    this.#minuteMs = minuteMs;
    this.#rows.clear();
    this.#sources.clear();
    this.#left = { ...ROWS };
  }

  /** The row that counts it: its own, if there is room, or a shared one. */
  #rowOf(
    type: RefusalType,
    who: number | string | null,
    source: string,
  ): { key: string; who: number | string | null; source: string } {
    const row = { key: `${type} ${JSON.stringify(who)} ${source}`, who, source };
    if (this.#rows.has(row.key)) return row;
    const shared = source === OTHERS;
    if (shared && who === null) return row;
    const account = `${type} ${JSON.stringify(who)}`;
    const sources = this.#sources.get(account) ?? 0;
    if (who !== null && !shared && sources >= SOURCES_PER_ACCOUNT) return this.#rowOf(type, who, OTHERS);
    const pool = who === null ? 'nobody' : typeof who === 'number' ? 'account' : 'typed';
    if (this.#left[pool] === 0) return this.#rowOf(type, null, OTHERS);
    this.#left[pool]--;
    this.#rows.add(row.key);
    if (who !== null) this.#sources.set(account, sources + 1);
    return row;
  }

  async #write(): Promise<void> {
    this.#writing.callOff();
    const pending = this.#pending;
    if (pending.size === 0) return;
    this.#pending = new Map();
    this.#writtenMs = this.#system.monotonicMs();
    try {
      await writeRefusals(this.#database, [...pending.values()]);
      if (this.#lost > 0) this.#system.log.warn({ count: this.#lost }, 'refused attempts were not recorded');
      this.#lost = 0;
    } catch (err) {
      // An answer that was lost on the way makes a count too high, which is better than too low.
      for (const [key, refusal] of pending) this.#giveBack(key, refusal);
      this.#writing.in(AGAIN_MS);
      this.#system.log.warn({ err, rows: pending.size }, 'could not record refused attempts; will retry');
    }
  }

  #giveBack(key: string, refusal: Refusal): void {
    const since = this.#pending.get(key);
    if (since) this.#pending.set(key, { ...since, count: since.count + refusal.count, at: refusal.at });
    else if (this.#pending.size < MOST_PENDING) this.#pending.set(key, refusal);
    else this.#lost += refusal.count;
  }
}
