/** The kinds of credentials: a signed token, opaque tokens, and a cookie's value. */
export type Kind = 'jwt' | 'access' | 'session' | 'cookie';

/** A session as its client knows it. */
export interface Session {
  /** Its number in this history. */
  readonly s: number;
  readonly sid: string | null;
  readonly user: number;
  readonly client: string;
  readonly device: string | null;
  readonly via: string;
  readonly kind: Kind;
  text: string;
  readonly csrf: string | null;
  /** Null if there is no token, or if it is unusable because an answer to it was lost. */
  refresh: string | null;
  /** A logout that covers it has been sent. */
  over: boolean;
}

/** The headers by which a client identifies itself. */
export function credentialHeaders(session: Session, issuer: string): Record<string, string> {
  if (session.kind !== 'cookie') return { authorization: `Bearer ${session.text}` };
  return {
    cookie: `curfew_session=${session.text}`,
    origin: issuer,
    ...(session.csrf === null ? {} : { 'x-csrf-token': session.csrf }),
  };
}

/** The claims of a signed token, unverified, because the test trusts its own server. */
export function sidOf(token: string): string | null {
  const [, payload] = token.split('.');
  if (payload === undefined) return null;
  return (JSON.parse(Buffer.from(payload, 'base64url').toString()) as { sid?: string }).sid ?? null;
}
