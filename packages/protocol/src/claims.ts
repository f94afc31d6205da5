/**
 * What an access token says (RFC 9068): `typ: at+jwt`. Together with the cuts this is all that a checker needs.
 * Instants are seconds since 1970, `born` is a position.
 */
export interface AccessTokenClaims {
  iss: string;
  aud: string;
  /** The user's id, as a decimal string. */
  sub: string;
  /** The session's public id, a UUID. Whatever is revoked is keyed on it, never on a token's text. */
  sid: string;
  client_id: string;
  /** The device's id: a logout of one device ends by it what was born below its cut. */
  device_id: string;
  born: number;
  /**
   * The database's epoch in which the session was read: positions of two epochs do not compare. Absent in tokens of older
   * versions.
   */
  epoch?: string;
  iat: number;
  exp: number;
  jti: string;
}

/** The `typ` header of an access token, RFC 9068 section 2.1. */
export const ACCESS_TOKEN_TYP = 'at+jwt';

/** The signature algorithms we sign with. The key decides which one, never a token's header. */
export const SIGNING_ALGORITHMS = ['EdDSA', 'ES256', 'RS256'] as const;
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number];
