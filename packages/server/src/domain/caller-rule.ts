import type { Presented } from './presented.ts';
import type { RefusalType } from './refusal.ts';

/* Who may call an endpoint, as data: `actions/admit.ts` acts upon it, and the description is derived from it. */

/** What of a request says who calls. */
export interface RequestFacts {
  from: Presented;
  header: (name: string) => string | undefined;
  /** The client's address; null when it is not known. */
  ipAddress: string | null;
}

/** Anybody: nobody is looked at. */
interface NobodyRule {
  who: 'nobody';
}

interface SessionRule {
  who: 'session';
  /** By any credential of ours, or by the Authorization header alone. */
  by: 'any' | 'header';
  /** Whether the request counts as use of the session. */
  use: boolean;
  /** A request that changes something: with a cookie it must come from a trusted page and carry the CSRF token. */
  changes: boolean;
  /** Only by a credential for Curfew itself: one for an application may be in that application's hands. */
  own: boolean;
  /** The contract that a refusal is noted under, where it is not the endpoint's own family. */
  notedAs?: string;
}

/** An administrator's session, or a service key. */
interface AdministratorRule {
  who: 'administrator';
  use: boolean;
  changes: boolean;
}

interface ServiceRule {
  who: 'service';
  /** What a wrong key is noted as; null: not at all. */
  notedAs: RefusalType | null;
}

/** A credential that the endpoint judges itself: it was asked whether it is alive. */
interface CredentialRule {
  who: 'credential';
}

type FixedRule = NobodyRule | SessionRule | AdministratorRule | ServiceRule | CredentialRule;

/** The request decides which of the rules holds. */
interface DependentRule<One extends FixedRule = FixedRule> {
  who: 'dependent';
  rules: readonly One[];
  choose: (facts: RequestFacts) => One;
}

export type CallerRule = FixedRule | DependentRule;

export const NOBODY = { who: 'nobody' } as const satisfies CallerRule;

const SESSION = { who: 'session', by: 'any', use: true, changes: false, own: false } as const;
/** A live session, which is used by this. */
export const SESSION_USED = SESSION satisfies CallerRule;
/** A live session that is only looked at. */
export const SESSION_LOOKED_AT = { ...SESSION, use: false } as const satisfies CallerRule;
export const SESSION_TO_CHANGE = { ...SESSION, changes: true } as const satisfies CallerRule;
/** To change what only a credential for Curfew itself may change. */
export const OWN_SESSION_TO_CHANGE = { ...SESSION_TO_CHANGE, own: true } as const satisfies CallerRule;
/** By the Authorization header alone; a cookie is nothing there. */
export const HEADER_USED = { ...SESSION, by: 'header' } as const satisfies CallerRule;
export const HEADER_LOOKED_AT = { ...HEADER_USED, use: false } as const satisfies CallerRule;

export const ADMINISTRATOR_TO_READ = {
  who: 'administrator',
  use: true,
  changes: false,
} as const satisfies CallerRule;
/** Looking on is no use of the session: it would never idle out under an open page. */
export const ADMINISTRATOR_LOOKING_ON = {
  ...ADMINISTRATOR_TO_READ,
  use: false,
} as const satisfies CallerRule;
export const ADMINISTRATOR_TO_CHANGE = {
  ...ADMINISTRATOR_TO_READ,
  changes: true,
} as const satisfies CallerRule;

/** A service key, and nothing else. */
export const serviceKey = <T extends RefusalType | null>(notedAs: T): { who: 'service'; notedAs: T } => ({
  who: 'service',
  notedAs,
});

export const CREDENTIAL_ITSELF = { who: 'credential' } as const satisfies CallerRule;

export const dependent = <One extends FixedRule>(
  rules: readonly One[],
  choose: (facts: RequestFacts) => One,
): DependentRule<One> => ({ who: 'dependent', rules, choose });

/** The ways to say who calls that a rule takes, by the names of the description's security schemes. */
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
