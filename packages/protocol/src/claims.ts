/** What cuts of a session's login are judged by. */
export interface LoginClaim {
  /** The `sid` that the login began with. */
  sid: string;
  /** The position at which the login began. */
  born: number;
  /** The application of the login. */
  client_id: string;
}

/** The claims of an access token (RFC 9068). With the cuts they are all that a checker needs. */
export interface AccessTokenClaims {
  /** The authority's issuer, a URL. */
  iss: string;
  /** The audience of the client that the token was issued for. */
  aud: string;
  /** The user, as an opaque text. */
  sub: string;
  /** The session's public id, a UUID. Revocation is keyed on it, never on a token's text. */
  sid: string;
  /** The application, by its id. */
  client_id: string;
  /** The device's id: the cut of a logout of one device is stored under it. */
  device_id: string;
  /** The position at which the session began, if it has no login. */
  born?: number;
  /** The position at which a session began that has a login. It is not called `born`, so that a verifier that does not know logins, and would not see that one has ended, refuses the token. */
  begun?: number;
  /** The database's epoch in which the session was read: positions of two epochs do not compare. Absent in tokens of older versions. */
  epoch?: string;
  /** The login that the session was begun through, and ends with. Absent for a login of its own. */
  login?: LoginClaim;
  /** The tenant. Absent in tokens of older versions, which name no login either. */
  tenant?: string;
  /** The id that another system has for the user. Absent if there is none. */
  external_id?: string;
  /** The name of that system, within which the id is unique. Absent if there is none, and in tokens of older versions. */
  external_issuer?: string;
  /** The user's role when the token was issued. It does not change while the session is alive, except for a session that a cut of its user has spared. Absent in tokens of older versions. */
  role?: string;
  /** When the token was issued, in seconds since 1970. */
  iat: number;
  /** When the token expires, in seconds since 1970. */
  exp: number;
  /** The token's own id. */
  jti: string;
}

/** The `typ` header of an access token, RFC 9068 section 2.1. */
export const ACCESS_TOKEN_TYP = 'at+jwt';

/** The algorithms that the authority signs with. The key decides which one, never a token's header. */
export const SIGNING_ALGORITHMS = ['EdDSA', 'ES256', 'RS256'] as const;
/** One of `SIGNING_ALGORITHMS`. */
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number];
