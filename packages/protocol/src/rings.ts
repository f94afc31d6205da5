import type { Tally } from './publisher.ts';
import { type Authenticator, seal, unseal } from './sealed.ts';

/** What nodes say to each other over the doorbell: "there is something new", "I have it". Any of it may be lost. */
export type Ring =
  /** `epoch`: the ending was committed in this one; who reads the log of another does not have it. */
  | { ring: number; from: string; epoch?: string }
  /** `over`: of the sender's verifiers, those that are missing have lost their lease. */
  | ({ ack: number; from: string; to: string; over: boolean } & Tally);

/** "The lists of these users' sessions have changed", for those of them who listen at another node. */
export interface Hint {
  changed: number[];
  from: string;
}

/** Why a text was not heard. `repeated`: it was heard before, on the same way. */
export const REFUSALS = ['unauthenticated', 'repeated', 'malformed'] as const;
export type Refusal = (typeof REFUSALS)[number];

/** NOTIFY takes no more; nothing longer comes from a node. */
const MOST_CHARACTERS = 8000;
const MOST_USERS = 1000;
const LONGEST_ID = 64;
const ABOUT = 'doorbell';
/** Messages of one sender may overtake each other by so many. */
const WINDOW = 1024;
/** Every start of a process is a new sender; the one that was silent for longest is forgotten. */
const MOST_SENDERS = 4096;

/**
 * The doorbell's messages as texts. Others can write to the media that carry them, so each has a MAC over all that it says,
 * sender, receiver and ring included, and a number of its sender's: what was heard once is not heard again.
 */
export class RingTexts {
  readonly #authenticator: Authenticator;
  readonly #heard = new Map<string, Numbers>();
  #last = 0;

  constructor(authenticator: Authenticator) {
    this.#authenticator = authenticator;
  }

  write(message: Ring | Hint): string {
    // One that does not know of the number and the MAC reads the rest.
    return seal(JSON.stringify({ ...message, n: ++this.#last }), ABOUT, this.#authenticator);
  }

  /** @param way the medium that it came by: what goes by two is heard by two */
  read(text: string, way: string): Ring | Hint | Refusal {
    if (text.length > MOST_CHARACTERS) return 'malformed';
    const json = unseal(text, ABOUT, this.#authenticator);
    if (json === null) return 'unauthenticated';
    const parsed: unknown = parse(json);
    const message = readRing(parsed) ?? readHint(parsed);
    const n = isRecord(parsed) ? parsed['n'] : null;
    if (message === null || !isCount(n)) return 'malformed';
    return this.#isNew(`${way} ${message.from}`, n) ? message : 'repeated';
  }

  #isNew(sender: string, n: number): boolean {
    const numbers = this.#heard.get(sender) ?? new Numbers();
    this.#heard.delete(sender);
    this.#heard.set(sender, numbers);
    if (this.#heard.size > MOST_SENDERS) {
      const [silent] = this.#heard.keys();
      if (silent !== undefined) this.#heard.delete(silent);
    }
    return numbers.take(n);
  }
}

/** The numbers of one sender that were heard, among its newest; older ones count as heard. */
class Numbers {
  readonly #heard = new Set<number>();
  #highest = 0;

  take(n: number): boolean {
    if (n <= this.#highest - WINDOW || this.#heard.has(n)) return false;
    if (n > this.#highest) {
      if (n - this.#highest >= WINDOW) this.#heard.clear();
      else for (let old = this.#highest - WINDOW + 1; old <= n - WINDOW; old++) this.#heard.delete(old);
      this.#highest = n;
    }
    this.#heard.add(n);
    return true;
  }
}

/** A ring or an acknowledgement, member by member, or null. */
export function readRing(value: unknown): Ring | null {
  if (!isRecord(value)) return null;
  const { ring, epoch, ack, from, to, over, acknowledged, missing } = value;
  if (!isId(from)) return null;
  if (isCount(ring)) {
    if (ack !== undefined || (epoch !== undefined && !isId(epoch))) return null;
    return epoch === undefined ? { ring, from } : { ring, from, epoch };
  }
  const fits = isCount(ack) && isId(to) && typeof over === 'boolean';
  if (!fits || !isCount(acknowledged) || !isCount(missing)) return null;
  return { ack, from, to, over, acknowledged, missing };
}

function readHint(value: unknown): Hint | null {
  if (!isRecord(value)) return null;
  const { changed, from } = value;
  if (!isId(from) || !Array.isArray(changed) || changed.length > MOST_USERS) return null;
  return changed.every(isCount) ? { changed, from } : null;
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const isId = (value: unknown): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= LONGEST_ID;
