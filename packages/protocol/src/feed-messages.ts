/**
 * The feed, `GET /v1/feed`: the messages of a node and a verifier over one WebSocket. Texts are JSON; pieces of the snapshot with
 * ended ids are binary, 12 bytes an id, because there may be millions.
 *
 * The verifier says hello, with the oldest and the newest version that it speaks; the node answers in the newest that both speak. A
 * node of version 1 reads the oldest alone, and a verifier of version 1 says no newest. From then on the node sends it every ending, numbered (`seq`), and beside them the snapshot in pieces,
 * closed by `snapshot` with the number that was the newest when the snapshot began. Endings and pieces may interleave. The
 * verifier acknowledges numbers, and asks for renewals.
 */
import type { KeyedCut } from './ending.ts';
import type { SessionKey } from './ended-ids.ts';
import { isOfVersion1, type Part } from './replica.ts';

/** Raised when an older party would misunderstand a message. */
export const FEED_VERSION = 2;
/** The oldest version that is still spoken, so that nodes and back ends can be upgraded one by one, in any order. */
export const OLDEST_FEED_VERSION = 1;

/** Whether this program speaks a version. */
export const speaksFeed = (version: number): boolean =>
  Number.isInteger(version) && version >= OLDEST_FEED_VERSION && version <= FEED_VERSION;

/** Returns the newest version that a verifier and this program speak; null when there is none. */
export function agreedVersion(hello: VerifierMessage & { t: 'hello' }): number | null {
  const version = Math.min(hello.newest ?? hello.v, FEED_VERSION);
  return version >= Math.max(hello.v, OLDEST_FEED_VERSION) ? version : null;
}

/** The messages of a node. Durations are in milliseconds. */
export type NodeMessage =
  | Welcome
  | { t: 'cuts'; cuts: KeyedCut[] }
  | { t: 'ids'; ids: SessionKey[] }
  /** The snapshot is complete with this many pieces: together with every ending above `seq`, nothing is missing. */
  | { t: 'snapshot'; seq: number; parts: number }
  | {
      t: 'ending';
      seq: number;
      cuts: readonly KeyedCut[];
      ids: readonly string[];
      changed: readonly string[];
    }
  /** Answers `renew` n: at this moment the node's knowledge was `age` old, and `seq` was its newest ending. */
  | { t: 'renewed'; n: number; age: number; seq: number; now: number }
  /** The keys that may sign tokens: JWKs with `kid` and `alg`. */
  | { t: 'keys'; keys: readonly Record<string, unknown>[] };

export interface Welcome {
  t: 'welcome';
  /** The version that this connection speaks. */
  v: number;
  /** The node's id. */
  node: string;
  /** How long a replica may answer from memory after the instant that it is fresh as of. */
  lease: number;
  /** How long entries must be kept: longer than any access token lives. */
  keep: number;
  /** The longest life of an access token that may be judged without asking the authority. */
  tokenLife: number;
  issuer: string;
  /** The audiences that tokens are issued for. Absent from nodes of version 1. */
  audiences?: readonly string[];
  /** The audience of the verifier's key: of its client, or else of the authority itself. Absent from older nodes. */
  audience?: string;
  /** The names under which a browser may send the session cookie, the current one first. Absent from nodes of version 1. */
  cookies?: readonly string[];
  /**
   * The database's epoch (see node.ts). A replica of another epoch is worthless, and the session of a token of another epoch may
   * be lost, so the authority must be asked. Absent from nodes of older versions.
   */
  epoch?: string;
}

/** The messages of a verifier. */
export type VerifierMessage =
  /** `v`: the oldest version that the verifier speaks, and `newest`, if not the same, the newest. */
  | { t: 'hello'; v: number; newest?: number; replica: string }
  | { t: 'renew'; n: number }
  | { t: 'ack'; seq: number }
  /** Sessions that were used, and how many milliseconds ago. */
  | { t: 'used'; sessions: [sid: string, agoMs: number][] };

/** The WebSocket close codes with which a node ends a feed. */
export const FEED_CLOSED = {
  /** The node is shutting down (RFC 6455 section 7.4.1): connect to another one, or again. */
  restart: 1012,
  /** The node does not understand a message. */
  protocol: 4400,
  /** The key of the verifier is revoked or expired. */
  revoked: 4401,
  /** The versions differ. */
  version: 4426,
} as const;

const ID_BYTES = 12;

/**
 * Returns a message as a verifier of version 1 reads it: users are numbers, and there are no cuts of the kinds that it does not
 * know, which `Publisher` accounts for.
 */
export function inVersion1(message: NodeMessage): NodeMessage {
  const ofVersion1 = <C extends { key: string }>(cuts: readonly C[]): C[] =>
    cuts.filter(({ key }) => isOfVersion1(key));
  if (message.t === 'cuts') return { ...message, cuts: ofVersion1(message.cuts) };
  if (message.t !== 'ending') return message;
  const changed = message.changed.map(Number) as unknown as readonly string[];
  return { ...message, cuts: ofVersion1(message.cuts), changed };
}

export function encodeNodeMessage(message: NodeMessage): string | Uint8Array<ArrayBuffer> {
  if (message.t !== 'ids') return JSON.stringify(message);
  const view = new DataView(new ArrayBuffer(message.ids.length * ID_BYTES));
  message.ids.forEach(({ a, b, c }, i) => {
    view.setInt32(i * ID_BYTES, a);
    view.setInt32(i * ID_BYTES + 4, b);
    view.setInt32(i * ID_BYTES + 8, c);
  });
  return new Uint8Array(view.buffer);
}

/** @throws Error when it is not a message */
export function decodeNodeMessage(data: string | Uint8Array): NodeMessage {
  if (typeof data !== 'string') return { t: 'ids', ids: decodeIds(data) };
  const message = tagged(data) as NodeMessage;
  // A node of version 1 sends numbers.
  return message.t === 'ending' ? { ...message, changed: message.changed.map(String) } : message;
}

/** @throws Error when it is not a message */
export function decodeVerifierMessage(data: string): VerifierMessage {
  const message = tagged(data);
  const isNumber = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value);
  const fits =
    (message['t'] === 'hello' &&
      isNumber(message['v']) &&
      (message['newest'] === undefined || isNumber(message['newest'])) &&
      typeof message['replica'] === 'string') ||
    (message['t'] === 'renew' && isNumber(message['n'])) ||
    (message['t'] === 'ack' && isNumber(message['seq'])) ||
    (message['t'] === 'used' &&
      Array.isArray(message['sessions']) &&
      message['sessions'].every(
        (one) => Array.isArray(one) && typeof one[0] === 'string' && isNumber(one[1]),
      ));
  if (!fits) throw new Error(`invalid feed message: ${data.slice(0, 80)}`);
  return message as VerifierMessage;
}

function tagged(data: string): Record<string, unknown> {
  const message: unknown = JSON.parse(data);
  if (typeof message !== 'object' || message === null || typeof (message as { t?: unknown }).t !== 'string')
    throw new Error('invalid feed message');
  return message as Record<string, unknown>;
}

function decodeIds(data: Uint8Array): SessionKey[] {
  if (data.byteLength % ID_BYTES !== 0) throw new Error('each id must have 12 bytes');
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const ids: SessionKey[] = [];
  for (let at = 0; at < data.byteLength; at += ID_BYTES)
    ids.push({ a: view.getInt32(at), b: view.getInt32(at + 4), c: view.getInt32(at + 8) });
  return ids;
}

export function partMessage(part: Part): NodeMessage {
  return 'ids' in part ? { t: 'ids', ids: part.ids } : { t: 'cuts', cuts: part.cuts };
}
