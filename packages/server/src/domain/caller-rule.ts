import type { KeyScope } from './api-key.ts';
import type { Presented } from './presented.ts';
import type { RefusalType } from './refusal-types.ts';

/* Who may call an endpoint, as data: `actions/admit.ts` acts upon it, and the description is derived from it. */

/** The parts of a request that identify its caller. */
export interface RequestFacts {
  from: Presented;
  header: (name: string) => string | undefined;
  /** The client's address; null when it is not known. */
  ipAddress: string | null;
  /** The request opens a WebSocket. */
  handshake?: true;
}

/** Anyone may call: the request is not authenticated. */
interface NobodyRule {
  who: 'nobody';
}

interface SessionRule {
  who: 'session';
  /** The accepted credentials: any, or the Authorization header only. */
  by: 'any' | 'header';
  /** Whether the request counts as use of the session. */
  use: boolean;
  /** A request that changes something: with a cookie it must come from a trusted page and carry the CSRF token. */
  changes: boolean;
  /** A WebSocket, which any page can open, and whose browser sends the cookie along: the page must be of a trusted origin. */
  handshake?: true;
  /** Only by a credential for Curfew itself: one for an application may be in that application's hands. */
  own: boolean;
}

/** The API keys that a rule admits. A service key of the settings has every scope. */
export interface KeyRule {
  scope: KeyScope;
  /** Keys of clients too: the handler then keeps to the caller's reach. */
  clients: boolean;
}

/** An administrator's session, or a key. */
interface AdministratorRule {
  who: 'administrator';
  use: boolean;
  changes: boolean;
  key: KeyRule;
}

interface ServiceRule {
  who: 'service';
  key: KeyRule;
  /** The refusal that a wrong key is recorded as; null: none. */
  notedAs: RefusalType | null;
}

/** The endpoint judges the credential itself, because the caller asks about it. */
interface CredentialRule {
  who: 'credential';
}

type FixedRule = NobodyRule | SessionRule | AdministratorRule | ServiceRule | CredentialRule;

/** The request decides which of the rules applies. */
interface DependentRule<One extends FixedRule = FixedRule> {
  who: 'dependent';
  rules: readonly One[];
  choose: (facts: RequestFacts) => One;
}

export type CallerRule = FixedRule | DependentRule;

export const NOBODY = { who: 'nobody' } as const satisfies CallerRule;

const SESSION = { who: 'session', by: 'any', use: true, changes: false, own: false } as const;
/** A live session. The request counts as activity. */
export const SESSION_USED = SESSION satisfies CallerRule;
/** A live session. The request does not count as activity. */
export const SESSION_LOOKED_AT = { ...SESSION, use: false } as const satisfies CallerRule;
export const SESSION_TO_CHANGE = { ...SESSION, changes: true } as const satisfies CallerRule;
/** For changes that require a credential for Curfew itself. */
export const OWN_SESSION_TO_CHANGE = { ...SESSION_TO_CHANGE, own: true } as const satisfies CallerRule;
/** A live session by the Authorization header. Cookies are ignored. */
export const HEADER_USED = { ...SESSION, by: 'header' } as const satisfies CallerRule;
export const HEADER_LOOKED_AT = { ...HEADER_USED, use: false } as const satisfies CallerRule;

/** Whose keys a rule admits besides operators': those of clients, which reach their own client's sessions only. */
type Clients = 'and clients';

const keyRule = (scope: KeyScope, clients?: Clients): KeyRule => ({ scope, clients: clients !== undefined });

/** An administrator's session, or a key with this scope. */
export const administratorToRead = (scope: KeyScope, clients?: Clients): AdministratorRule => ({
  who: 'administrator',
  use: true,
  changes: false,
  key: keyRule(scope, clients),
});
/** Watching does not count as activity, or the session would never idle out under an open page. */
export const administratorLookingOn = (scope: KeyScope): AdministratorRule => ({
  ...administratorToRead(scope),
  use: false,
});
export const administratorToChange = (scope: KeyScope, clients?: Clients): AdministratorRule => ({
  ...administratorToRead(scope, clients),
  changes: true,
});

/** A key only. */
export const serviceKey = (scope: KeyScope, notedAs: RefusalType | null, clients?: Clients): ServiceRule => ({
  who: 'service',
  key: keyRule(scope, clients),
  notedAs,
});

export const CREDENTIAL_ITSELF = { who: 'credential' } as const satisfies CallerRule;

export const dependent = <One extends FixedRule>(
  rules: readonly One[],
  choose: (facts: RequestFacts) => One,
): DependentRule<One> => ({ who: 'dependent', rules, choose });

/** A live session that opens a WebSocket. Listening does not count as activity. */
const SESSION_LISTENING = { ...SESSION_LOOKED_AT, handshake: true } as const satisfies CallerRule;
export const LISTENER: DependentRule<SessionRule> = dependent<SessionRule>(
  [SESSION_LOOKED_AT, SESSION_LISTENING],
  ({ handshake }) => (handshake ? SESSION_LISTENING : SESSION_LOOKED_AT),
);

/** The security schemes of the description that a rule accepts. */
export function schemesOf(rule: CallerRule): string[] {
  switch (rule.who) {
    case 'nobody':
      return [];
    case 'session':
      return rule.by === 'any' ? ['bearer', 'cookie'] : ['bearer'];
    case 'administrator':
      return ['bearer', 'cookie', 'service'];
    case 'service':
      return ['service'];
    case 'credential':
      return ['bearer', 'cookie'];
    case 'dependent':
      return [...new Set(rule.rules.flatMap(schemesOf))];
  }
}
