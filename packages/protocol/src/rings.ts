import type { Tally } from './publisher.ts';
import { type Authenticator, seal, unseal } from './sealed.ts';

/** The messages of nodes over the doorbell: "there is something new", "I have it". Each may be lost. */
export type Ring =
  /** `epoch`: the ending's epoch; a reader of another one's log does not have it. */
  | { ring: number; from: string; epoch?: string }
  /** `over`: the leases of the sender's missing verifiers have expired. */
  | ({ ack: number; from: string; to: string; over: boolean } & Tally);

/** The lists of these users' sessions have changed: their pages may listen at another node. */
export interface Hint {
  changed: number[];
  from: string;
}

/** Why a text was refused. `repeated`: it came before over the same medium. */
export const RING_FAULTS = ['unauthenticated', 'repeated', 'malformed'] as const;
export type RingFault = (typeof RING_FAULTS)[number];

/** The limit of NOTIFY; nodes send nothing longer. */
const MOST_CHARACTERS = 8000;
const MOST_USERS = 1000;
const LONGEST_ID = 64;
const ABOUT = 'doorbell';
/** How far messages of one sender may overtake each other. */
const WINDOW = 1024;
/** Every start of a process is a new sender; the sender that was silent for longest is forgotten. */
const MOST_SENDERS = 4096;

/**
 * Writes and reads the doorbell's messages. Others can write to the media that carry them, so each has a MAC over its text,
 * sender, receiver and ring, and a number, which is accepted once.
 */
export class RingTexts {
  readonly #authenticator: Authenticator;
  readonly #heard = new Map<string, Numbers>();
  #last = 0;

  constructor(authenticator: Authenticator) {
    this.#authenticator = authenticator;
  }

  write(message: Ring | Hint): string {
    // A node that does not know number and MAC reads the rest.
    return seal(JSON.stringify({ ...message, n: ++this.#last }), ABOUT, this.#authenticator);
  }

  /** @param way the medium that it came over: a text that goes over two is accepted on each */
  read(text: string, way: string): Ring | Hint | RingFault {
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

/** The recently received numbers of one sender; older ones count as received. */
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

/** Reads a ring or an acknowledgement member by member; null for anything else. */
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
