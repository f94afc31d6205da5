import type { Kind } from '../load/session.ts';

/** A credential that the verifiers of a back end check from now on. */
export interface Presented {
  s: number;
  sid: string | null;
  kind: Kind;
  text: string;
}

export type ToBackEnd =
  | { t: 'credentials'; list: Presented[] }
  /** These sessions are being logged out: check them all the time, until `release`. */
  | { t: 'press'; id: number; list: number[] }
  | { t: 'release'; id: number }
  | { t: 'rest' }
  | { t: 'last look' }
  | { t: 'end' };

export type FromBackEnd = { t: 'ready' } | { t: 'looked' };

export type ToClients = { t: 'begin' } | { t: 'rest' } | { t: 'last look' } | { t: 'end' };

export type FromClients =
  | { t: 'ready' }
  | { t: 'rested' }
  | { t: 'looked' }
  | Extract<ToBackEnd, { t: 'credentials' | 'press' | 'release' }>;

export interface BackEndSettings {
  who: string;
  file: string;
  serviceKey: string;
  audience: string;
  verifiers: { name: string; authority: string[]; onStale: 'ask' | 'refuse' }[];
  /** Besides its verifiers it has a believer: a fault on purpose, which believes a yes for so many milliseconds. 0: it has none. */
  believesMs: number;
  /** The factor for the pause between two checks: longer on a busy machine. */
  slower: number;
}

export interface ForgerSettings {
  file: string;
  databaseUrl: string;
  redisUrl: string;
  seed: number;
}

export interface ClientsSettings {
  file: string;
  serviceKey: string;
  issuer: string;
  nodes: { name: string; url: string }[];
  seed: number;
  slower: number;
}
