import { SIGNING_ALGORITHMS, type SigningAlgorithm } from '@curfew/protocol/claims';
import { type CryptoKey, importJWK } from 'jose';
import type { Log } from './options.ts';

interface PublicKey {
  alg: SigningAlgorithm;
  publicKey: CryptoKey;
}

/** The keys that may sign tokens, as the authority last named them. Each key has one algorithm. */
export class Keys {
  readonly #log: Log;
  #byId = new Map<string, PublicKey>();
  #named = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  find(kid: string): PublicKey | undefined {
    return this.#byId.get(kid);
  }

  get size(): number {
    return this.#byId.size;
  }

  /**
   * Replaces the keys.
   * @returns whether an earlier key is gone: tokens that it signed are void
   */
  async replace(jwks: readonly Record<string, unknown>[]): Promise<boolean> {
    const turn = ++this.#named;
    const read = await Promise.all(jwks.map((jwk) => this.#read(jwk)));
    // A newer set arrived while this one was imported.
    if (turn !== this.#named) return false;
    const before = this.#byId;
    this.#byId = new Map(read.filter((one) => one !== null));
    return [...before.keys()].some((kid) => !this.#byId.has(kid));
  }

  async #read(jwk: Record<string, unknown>): Promise<[string, PublicKey] | null> {
    const { kid } = jwk;
    const alg = SIGNING_ALGORITHMS.find((one) => one === jwk['alg']);
    // An algorithm of a newer authority: the authority is asked about its tokens.
    if (typeof kid !== 'string' || !alg || 'd' in jwk) return null;
    try {
      return [kid, { alg, publicKey: (await importJWK(jwk, alg)) as CryptoKey }];
    } catch (error) {
      this.#log('error', 'a signing key cannot be read: its tokens are checked by introspection', {
        kid,
        error,
      });
      return null;
    }
  }
}
