/**
 * The feed, `GET /v1/feed`: what a node and a verifier say to each other over one WebSocket. Texts are JSON; pieces of the
 * snapshot that hold ended ids are binary, 12 bytes an id, because there may be millions.
 *
 * The verifier says hello. From that moment the node sends it every ending, numbered by the node (`seq`), and besides them the
 * snapshot, in pieces, closed by `snapshot` with the number that was the newest when it was begun. The order of both
 * among each other does not matter. The verifier acknowledges numbers, and asks for renewals.
 */
import type { KeyedCut } from './endings.ts';
import type { SessionKey } from './ended-ids.ts';
import type { Part } from './replica.ts';

/** Raised when a message changes so that an older party would misunderstand it. */
export const FEED_VERSION = 1;

/** What a node sends. Durations in milliseconds. */
export type NodeMessage =
  | Welcome
  | { t: 'cuts'; cuts: KeyedCut[] }
  | { t: 'ids'; ids: SessionKey[] }
  /** The snapshot is complete with so many pieces: with it and every ending above `seq` nothing is missing. */
  | { t: 'snapshot'; seq: number; parts: number }
  | {
      t: 'ending';
      seq: number;
      cuts: readonly KeyedCut[];
      ids: readonly string[];
      changed: readonly number[];
    }
  /** Answers `renew` n: at this moment the node's knowledge was `age` old, and `seq` its newest ending. */
  | { t: 'renewed'; n: number; age: number; seq: number; now: number }
  /** The keys that tokens may be signed with: JWKs with `kid` and `alg`. */
  | { t: 'keys'; keys: readonly Record<string, unknown>[] };

export interface Welcome {
  t: 'welcome';
  v: typeof FEED_VERSION;
  /** The node's id. */
  node: string;
  /** How long a replica may answer from memory after the instant that it is fresh as of. */
  lease: number;
  /** How long entries must be kept: longer than any access token lives. */
  keep: number;
  /** The longest an access token may live and still be judged without asking. */
  tokenLife: number;
  issuer: string;
  /**
   * The database's epoch (see node.ts). What is held of another one is worth nothing, and a token of another one may be of a
   * session that was lost with it: the authority is to be asked. Nodes of older versions do not say it.
   */
  epoch?: string;
}

/** What a verifier sends. */
export type VerifierMessage =
  | { t: 'hello'; v: number; replica: string }
  | { t: 'renew'; n: number }
  | { t: 'ack'; seq: number }
  /** Sessions that were used, and how many milliseconds ago. */
  | { t: 'used'; sessions: [sid: string, agoMs: number][] };

/** Why the node closes a feed: the WebSocket's close codes. */
export const FEED_CLOSED = {
  /** RFC 6455 section 7.4.1: the node is going away; connect to another one, or again. */
  restart: 1012,
  /** A message was not understood. */
  protocol: 4400,
  /** The versions do not fit. */
  version: 4426,
} as const;

const ID_BYTES = 12;

/** A message as it goes over the wire. */
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

/** @throws Error when it is no message of this version */
export function decodeNodeMessage(data: string | Uint8Array): NodeMessage {
  if (typeof data !== 'string') return { t: 'ids', ids: decodeIds(data) };
  return tagged(data) as NodeMessage;
}

/** @throws Error when it is no message */
export function decodeVerifierMessage(data: string): VerifierMessage {
  const message = tagged(data);
  const isNumber = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value);
  const fits =
    (message['t'] === 'hello' && isNumber(message['v']) && typeof message['replica'] === 'string') ||
    (message['t'] === 'renew' && isNumber(message['n'])) ||
    (message['t'] === 'ack' && isNumber(message['seq'])) ||
    (message['t'] === 'used' &&
      Array.isArray(message['sessions']) &&
      message['sessions'].every(
        (one) => Array.isArray(one) && typeof one[0] === 'string' && isNumber(one[1]),
      ));
  if (!fits) throw new Error(`not a message of the feed: ${data.slice(0, 80)}`);
  return message as VerifierMessage;
}

function tagged(data: string): Record<string, unknown> {
  const message: unknown = JSON.parse(data);
  if (typeof message !== 'object' || message === null || typeof (message as { t?: unknown }).t !== 'string')
    throw new Error('not a message of the feed');
  return message as Record<string, unknown>;
}

function decodeIds(data: Uint8Array): SessionKey[] {
  if (data.byteLength % ID_BYTES !== 0) throw new Error('ids come in pieces of 12 bytes');
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const ids: SessionKey[] = [];
  for (let at = 0; at < data.byteLength; at += ID_BYTES)
    ids.push({ a: view.getInt32(at), b: view.getInt32(at + 4), c: view.getInt32(at + 8) });
  return ids;
}

/** A piece of the replica as a message. */
export function partMessage(part: Part): NodeMessage {
  return 'ids' in part ? { t: 'ids', ids: part.ids } : { t: 'cuts', cuts: part.cuts };
}
