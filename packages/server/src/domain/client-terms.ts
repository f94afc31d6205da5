import type { SigningAlgorithm } from '@curfew/protocol/claims';
import type { Lifetimes } from './session.ts';

/** How a session may be opened with a client: by the user's password, or by a back end that has authenticated the user. */
export const GRANT_TYPES = ['password', 'service'] as const;
export type GrantType = (typeof GRANT_TYPES)[number];

/** What an operator says of a client. Null: the default of the settings. */
export interface ClientTerms extends Record<keyof Lifetimes, number | null> {
  name: string;
  audience: string | null;
  algorithm: SigningAlgorithm;
  grantTypes: readonly GrantType[];
  /** The systems whose users its API keys may name: values of `issuer`. */
  externalIssuers: readonly string[];
}

/** The issuer of a caller who has one system of users only. */
export const DEFAULT_ISSUER = 'default';
/** As the `sub` of OpenID Connect, an external id and its issuer are visible ASCII, because they cross in headers. */
export const EXTERNAL_TEXT = /^[!-~]{1,255}$/;
export const EXTERNAL_ISSUERS_AT_MOST = 100;

/** A client as the database has it. */
export interface ClientRecord extends ClientTerms {
  clientId: string;
  createdAt: Date;
  disabledAt: Date | null;
}

/** The settings' defaults: Curfew's own audience, and the lifetimes. */
export interface ClientDefaults extends Lifetimes {
  audience: string;
}

/** A client with the defaults filled in. */
export interface KnownClient extends Lifetimes {
  clientId: string;
  name: string;
  audience: string;
  algorithm: SigningAlgorithm;
  grantTypes: readonly GrantType[];
  externalIssuers: readonly string[];
  disabled: boolean;
}

/** Clients by `client_id`. */
export type ClientMap = ReadonlyMap<string, KnownClient>;

/** The client of the pages and of logins that name none. An administrator who disabled it could not log in to the pages again. */
export const DEFAULT_CLIENT = 'default';

/** The clients that always exist, and their names for people. They have Curfew's own audience. */
const BUILT_IN: Readonly<Record<string, string>> = {
  [DEFAULT_CLIENT]: 'Curfew pages and API',
  envelope: 'App with JWTs (contract 001)',
  'session-id': 'App with session tokens (contract 002)',
  token: 'App with opaque tokens (contract 003)',
  cookie: 'Website with a cookie (contract 004)',
};

export const isBuiltIn = (clientId: string): boolean => Object.hasOwn(BUILT_IN, clientId);

/** The terms of a client of which nothing is said. */
export const termsOf = (clientId: string): ClientTerms => ({
  name: BUILT_IN[clientId] ?? clientId,
  audience: null,
  algorithm: 'EdDSA',
  idleSeconds: null,
  absoluteSeconds: null,
  accessTokenSeconds: null,
  opaqueAccessSeconds: null,
  grantTypes: GRANT_TYPES,
  externalIssuers: [DEFAULT_ISSUER],
});

/** Terms to replace; undefined ones stay. */
export type ClientTermsChange = { [Name in keyof ClientTerms]?: ClientTerms[Name] | undefined };

/** What the setting says of clients. */
type GivenClients = Readonly<Record<string, ClientTermsChange>>;

/** The clients to create where the database lacks them: the built-in ones, and those of the setting. */
export function seedsOf(given: GivenClients): ReadonlyMap<string, ClientTerms> {
  const ids = new Set([...Object.keys(BUILT_IN), ...Object.keys(given)]);
  return new Map(
    [...ids].map((clientId) => [clientId, changedTerms(termsOf(clientId), given[clientId] ?? {})]),
  );
}

export function changedTerms<Terms extends ClientTerms>(terms: Terms, change: ClientTermsChange): Terms {
  const said = Object.entries(change).filter(([, value]) => value !== undefined);
  return { ...terms, ...Object.fromEntries(said) };
}

export function withDefaults(
  clientId: string,
  terms: ClientTerms,
  disabled: boolean,
  defaults: ClientDefaults,
): KnownClient {
  return {
    clientId,
    name: terms.name,
    audience: terms.audience ?? defaults.audience,
    algorithm: terms.algorithm,
    idleSeconds: terms.idleSeconds ?? defaults.idleSeconds,
    absoluteSeconds: terms.absoluteSeconds ?? defaults.absoluteSeconds,
    accessTokenSeconds: terms.accessTokenSeconds ?? defaults.accessTokenSeconds,
    opaqueAccessSeconds: terms.opaqueAccessSeconds ?? defaults.opaqueAccessSeconds,
    grantTypes: terms.grantTypes,
    externalIssuers: terms.externalIssuers,
    disabled,
  };
}

/** Why a session may not be opened with the client in this way: a sentence, or null when it may. */
export function whyNotOpened(
  { clientId, disabled, grantTypes }: KnownClient,
  grantType: GrantType,
): string | null {
  if (disabled) return `The application "${clientId}" is disabled.`;
  if (grantTypes.includes(grantType)) return null;
  return grantType === 'password'
    ? `The application "${clientId}" does not allow logins with a password.`
    : `The application "${clientId}" does not allow sessions that a back end opens.`;
}

const DAY_SECONDS = 86_400;

/** For how many days endings must be kept: as long as a credential of theirs may be presented. */
export function daysOf(clients: Iterable<Lifetimes>): number {
  const longest = Math.max(
    ...[...clients].map(({ absoluteSeconds, accessTokenSeconds }) =>
      Math.max(absoluteSeconds, accessTokenSeconds),
    ),
  );
  return Math.ceil(longest / DAY_SECONDS);
}

/** A fault of a client's terms. */
export interface ClientFault {
  field: keyof ClientTerms | 'disabled' | 'id';
  /** The setting that it contradicts, if any. */
  setting: string | null;
  sentence: string;
}

/**
 * Judges a change that closes a client: the pages of Curfew must stay usable, and contracts have their clients for good.
 * @returns null when nothing is wrong
 */
export function faultOfClosing(
  clientId: string,
  closes: boolean | 'for good',
  terms?: ClientTerms,
): ClientFault | null {
  const fault = (field: ClientFault['field'], sentence: string): ClientFault => ({
    field,
    setting: null,
    sentence,
  });
  if (closes === 'for good')
    return isBuiltIn(clientId) ? fault('id', `"${clientId}" is built in and cannot be deleted.`) : null;
  if (clientId !== DEFAULT_CLIENT) return null;
  if (closes) return fault('disabled', `the pages of Curfew use "${clientId}", so it cannot be disabled.`);
  if (terms && !terms.grantTypes.includes('password'))
    return fault('grantTypes', `the pages of Curfew use "${clientId}", so it must allow "password".`);
  return null;
}

/**
 * Judges a client by itself, and by the days for which the settings keep the log.
 * @returns null when nothing is wrong
 */
export function faultOfClient(
  clientId: string,
  terms: ClientTerms,
  defaults: ClientDefaults,
  retentionDays: Readonly<Record<string, number>>,
): ClientFault | null {
  const client = withDefaults(clientId, terms, false, defaults);
  if (terms.audience !== null && isBuiltIn(clientId))
    return {
      field: 'audience',
      setting: 'CURFEW_AUDIENCE',
      sentence: `"${clientId}" cannot have an audience of its own: the pages and the four contracts use the audience of Curfew. Set CURFEW_AUDIENCE, or use another application.`,
    };
  if (client.idleSeconds > client.absoluteSeconds)
    return {
      field: 'idleSeconds',
      setting: 'CURFEW_ABSOLUTE_SECONDS',
      sentence: `the idle lifetime of "${clientId}" (${client.idleSeconds} s) is longer than its absolute lifetime (${client.absoluteSeconds} s).`,
    };
  const days = daysOf([client]);
  for (const [setting, kept] of Object.entries(retentionDays))
    if (kept < days)
      return {
        field: client.absoluteSeconds < client.accessTokenSeconds ? 'accessTokenSeconds' : 'absoluteSeconds',
        setting,
        sentence: `a session of "${clientId}" may live for ${days} days, but ${setting} is ${kept}. Set that to ${days} or more, or choose a shorter lifetime.`,
      };
  return null;
}
