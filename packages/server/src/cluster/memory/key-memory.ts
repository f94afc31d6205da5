import { type ApiKey, isKeyText } from '../../domain/api-key.ts';
import { hashSecret } from '../../domain/credentials.ts';
import { readLiveKeys, saveKeyUse } from '../../store/issued-keys.ts';
import type { Database } from '../../store/database.ts';
import { coalesced } from '../../system/coalesced.ts';
import type { System } from '../../system/system.ts';
import { BELIEVED_MS } from './session-memory.ts';

/**
 * The live API keys, in this process. Every event about a key empties it, in the same read of the log as endings, so its answers
 * count under the same rule as those of the memory of sessions: only while the node is fresh. Otherwise the database is asked.
 *
 * All keys are read together. So a wrong key is refused from memory too, and guessing costs the database nothing.
 */
export class KeyMemory {
  readonly #database: Database;
  readonly #system: System;
  readonly #isFresh: () => boolean;
  readonly #read: () => Promise<Map<string, ApiKey>>;
  readonly #listeners = new Set<() => void>();
  #live: { keys: Map<string, ApiKey>; askedMs: number } | null = null;
  /** Raised by each change: an answer to an earlier question is not kept. */
  #changes = 0;
  /** Key → when it was last used, in milliseconds since 1970. */
  #used = new Map<number, number>();

  /** @param isFresh whether the node is; see Freshness */
  constructor(database: Database, system: System, isFresh: () => boolean) {
    this.#database = database;
    this.#system = system;
    this.#isFresh = isFresh;
    // Many callers that ask at the same time cost one question.
    this.#read = coalesced(() => this.#readNow());
  }

  /**
   * Judges a text without the database: its live key; null when there is none; undefined when that is not certain here.
   */
  recall(text: string): ApiKey | null | undefined {
    if (!isKeyText(text)) return null;
    const live = this.#live;
    if (live === null || this.#system.monotonicMs() - live.askedMs > BELIEVED_MS) return undefined;
    const key = this.#pick(live.keys, text);
    // Last: a process that was suspended in a line above finds the lease expired here.
    return this.#isFresh() ? key : undefined;
  }

  /** Returns the live key of a text, or null. A database that does not answer throws. */
  async find(text: string): Promise<ApiKey | null> {
    const recalled = this.recall(text);
    return recalled === undefined ? this.#pick(await this.#read(), text) : recalled;
  }

  /** The key was used. Its time is written later. */
  use({ id }: Pick<ApiKey, 'id'>): void {
    this.#used.set(id, this.#system.now().getTime());
  }

  /** A key was created or revoked, or events may have been missed. */
  forget(): void {
    this.#changes++;
    this.#live = null;
    for (const listener of this.#listeners) listener();
  }

  /** Called when keys that were accepted must be judged again. @returns stops that */
  onForget(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Writes when keys were used. */
  async flush(): Promise<void> {
    const used = this.#used;
    if (used.size === 0) return;
    this.#used = new Map();
    try {
      await saveKeyUse(
        this.#database,
        [...used].map(([id, ms]) => ({ id, at: new Date(ms) })),
      );
    } catch (error) {
      for (const [id, ms] of used) this.#used.set(id, Math.max(ms, this.#used.get(id) ?? 0));
      throw error;
    }
  }

  #pick(keys: ReadonlyMap<string, ApiKey>, text: string): ApiKey | null {
    if (!isKeyText(text)) return null;
    const key = keys.get(hashSecret(text).toString('hex'));
    if (!key || (key.expiresAt !== null && key.expiresAt <= this.#system.now())) return null;
    return key;
  }

  async #readNow(): Promise<Map<string, ApiKey>> {
    const changes = this.#changes;
    const askedMs = this.#system.monotonicMs();
    const keys = await readLiveKeys(this.#database, this.#system.now());
    // A revocation overtook the answer, which may still have the key.
    if (changes !== this.#changes) return this.#readNow();
    this.#live = { keys, askedMs };
    return keys;
  }
}
