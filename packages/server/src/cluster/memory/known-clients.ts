import { isDeepStrictEqual } from 'node:util';
import type { SigningAlgorithm } from '@curfew/protocol/claims';
import {
  type ClientDefaults,
  type ClientMap,
  type ClientRecord,
  type ClientTerms,
  DEFAULT_CLIENT,
  type KnownClient,
  withDefaults,
} from '../../domain/client-terms.ts';
import { readClients } from '../../store/client-rows.ts';
import type { LogEvent } from '../../store/log/log-event.ts';
import type { Queryable } from '../../store/statement.ts';
import { coalesced } from '../../system/coalesced.ts';

/** The events that change clients. */
export const CLIENT_EVENTS = [
  'client_created',
  'client_updated',
  'client_deleted',
] as const satisfies LogEvent['type'][];

/**
 * The clients, as this process knows them: what the database had at the last look. The node looks before it takes in an event that
 * changes them, so a node that answers from memory knows every change that is older than the lease.
 */
export class KnownClients {
  readonly #database: Queryable;
  readonly #defaults: ClientDefaults;
  readonly #seeds: ReadonlyMap<string, ClientTerms>;
  readonly #listeners = new Set<() => void>();
  #clients: ClientMap = new Map();
  #records: readonly ClientRecord[] = [];
  #tokenLifeSeconds = 0;

  /** @param seeds clients that exist although the database may not have them yet */
  constructor(database: Queryable, defaults: ClientDefaults, seeds: ReadonlyMap<string, ClientTerms>) {
    this.#database = database;
    this.#defaults = defaults;
    this.#seeds = seeds;
  }

  /** Curfew's own audience. */
  get audience(): string {
    return this.#defaults.audience;
  }

  get clients(): ClientMap {
    return this.#clients;
  }

  /** The client of a session; of one that the database does not know, the default's terms. */
  of(clientId: string): KnownClient {
    const client = this.#clients.get(clientId) ?? this.#clients.get(DEFAULT_CLIENT);
    if (!client) throw new Error('the default application is missing');
    return client;
  }

  /** As the database has them. */
  get records(): readonly ClientRecord[] {
    return this.#records;
  }

  /**
   * The longest life of an access token that this process has known. It never falls, because tokens of a client whose life was
   * shortened live on.
   */
  get tokenLifeSeconds(): number {
    return this.#tokenLifeSeconds;
  }

  /** The algorithms in use. */
  get algorithms(): SigningAlgorithm[] {
    return [...new Set([...this.#clients.values()].map(({ algorithm }) => algorithm))];
  }

  get shortestIdleSeconds(): number {
    return Math.min(...[...this.#clients.values()].map(({ idleSeconds }) => idleSeconds));
  }

  /** Called when a look has shown a change. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Reads them anew: every change that was committed before the call is known afterwards. */
  readonly load: () => Promise<void> = coalesced(async () => {
    const { clients: records, deleted } = await readClients(this.#database);
    const clients = new Map<string, KnownClient>();
    for (const [clientId, terms] of this.#seeds)
      if (!deleted.has(clientId)) clients.set(clientId, withDefaults(clientId, terms, false, this.#defaults));
    for (const record of records)
      clients.set(
        record.clientId,
        withDefaults(record.clientId, record, record.disabledAt !== null, this.#defaults),
      );
    this.#records = records;
    if (isDeepStrictEqual(this.#clients, clients)) return;
    this.#clients = clients;
    const lives = [...clients.values()].map(({ accessTokenSeconds }) => accessTokenSeconds);
    this.#tokenLifeSeconds = Math.max(this.#tokenLifeSeconds, ...lives);
    for (const listener of this.#listeners) listener();
  });
}
