import type { LiveSession } from './session.ts';

/** Whom credentials are for, by the settings. */
interface Audiences {
  /** Curfew's own. */
  readonly audience: string;
  readonly clients: ReadonlyMap<string, { audience: string }>;
}

/**
 * Whom the credentials of a session are for: the audience of its application (RFC 9068 section 4), whether they are
 * tokens that say so, opaque ones or a cookie. Null when the application is gone from the settings: then for nobody.
 */
export function audienceOf(
  { clients }: Audiences,
  { clientId }: Pick<LiveSession, 'clientId'>,
): string | null {
  return clients.get(clientId)?.audience ?? null;
}

/** Whether a session's credentials are for Curfew itself. */
export const isForCurfew = (settings: Audiences, session: LiveSession): boolean =>
  audienceOf(settings, session) === settings.audience;

/** Whether a session may administer. */
export const mayAdminister = (settings: Audiences, session: LiveSession): boolean =>
  session.user.role === 'admin' && isForCurfew(settings, session);
