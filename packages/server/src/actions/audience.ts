import type { Config } from '../config.ts';
import type { LiveSession } from '../domain/session.ts';

/**
 * Whom the credentials of a session are for: the audience of its application (RFC 9068 section 4), whether they are
 * tokens that say so, opaque ones or a cookie. Null when the application is gone from the settings: then for nobody.
 */
export function audienceOf(config: Config, { clientId }: Pick<LiveSession, 'clientId'>): string | null {
  return config.applications.get(clientId)?.audience ?? null;
}

/** Whether a session's credentials are for Curfew itself. */
export const isForCurfew = (config: Config, session: LiveSession): boolean =>
  audienceOf(config, session) === config.audience;

/** Whether a session may administer. */
export const mayAdminister = (config: Config, session: LiveSession): boolean =>
  session.user.role === 'admin' && isForCurfew(config, session);
