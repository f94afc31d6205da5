/** What a check does while the verifier is stale: `ask` the authority, or `refuse`. It never trusts its memory then. */
export type OnStale = 'ask' | 'refuse';

/** The options of one check. */
export interface CheckOptions {
  /** What this check does while the verifier is stale. Default: the verifier's `onStale`. */
  onStale?: OnStale;
}

/** Receives a line of the verifier's log. */
export type Log = (
  level: 'info' | 'warn' | 'error',
  message: string,
  details?: Record<string, unknown>,
) => void;

/** The options of `createVerifier`. */
export interface VerifierOptions {
  /** The authority's address, `https://…`, or the addresses of several of its nodes. */
  authority: string | readonly string[];
  /** An API key of the authority with the scope `verify` (`curfew api-keys create`). */
  serviceKey: string;
  /**
   * The audience of this back end, or its audiences: a token for another one is refused. Default: the audience of the key's
   * application; for an operator's key that of the authority itself.
   */
  audience?: string | readonly string[];
  /** `ask` the authority (default), or `refuse`, while stale. A check and a route can override it. */
  onStale?: OnStale;
  /** The number of credentials kept in memory, about 2 kB each. Default: 50,000. */
  capacity?: number;
  /** Receives the log: connections lost and found, faults of listeners. Default: warnings and errors go to the console. */
  log?: Log;
}

export interface Settings {
  authorities: readonly URL[];
  serviceKey: string;
  /** Null: learn it. */
  audiences: readonly string[] | null;
  onStale: OnStale;
  capacity: number;
  /** The name of the session cookie until a node says it. */
  cookieName: string;
  log: Log;
}

/** @throws TypeError that names an invalid option */
export function readOptions(options: VerifierOptions): Settings {
  const authorities = listOf(options.authority).map(addressOf);
  if (authorities.length === 0) throw new TypeError('authority: name at least one address');
  if (typeof options.serviceKey !== 'string' || !/^[\x21-\x7e]+$/.test(options.serviceKey))
    throw new TypeError('serviceKey: must be an API key of the authority, with the scope verify');
  const audiences = options.audience === undefined ? null : listOf(options.audience);
  if (audiences?.length === 0 || audiences?.some((one) => typeof one !== 'string' || one === ''))
    throw new TypeError('audience: name the audience that tokens must be issued for, or leave it out');
  const onStale = options.onStale ?? 'ask';
  if (onStale !== 'ask' && onStale !== 'refuse') throw new TypeError('onStale: must be "ask" or "refuse"');
  const capacity = options.capacity ?? 50_000;
  if (!Number.isSafeInteger(capacity) || capacity < 1)
    throw new TypeError('capacity: must be a whole number above 0');
  const log = options.log ?? toConsole;
  const open = authorities.find((url) => url.protocol === 'http:' && !LOOPBACK.test(url.hostname));
  if (open) log('warn', `the service key travels unencrypted to ${open.origin}: use https`);
  const cookieName = authorities[0]?.protocol === 'https:' ? '__Host-curfew_session' : 'curfew_session';
  return { authorities, serviceKey: options.serviceKey, audiences, onStale, capacity, cookieName, log };
}

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

function listOf(one: string | readonly string[]): readonly string[] {
  return Array.isArray(one) ? one : [one as string];
}

function addressOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !/^https?:$/.test(url.protocol))
    throw new TypeError(`authority: ${JSON.stringify(text)} is not an http(s) address`);
  // Addresses get into logs; the key has an option of its own.
  if (url.username || url.password) throw new TypeError('authority: must not contain a user or password');
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}

const toConsole: Log = (level, message, details) => {
  if (level !== 'info') console.warn(`curfew verifier: ${message}`, details ?? '');
};
