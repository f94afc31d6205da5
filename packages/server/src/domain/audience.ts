import type { LiveSession } from './session.ts';

/** The audiences that this process knows. */
interface Audiences {
  /** Curfew's own. */
  readonly audience: string;
  readonly clients: ReadonlyMap<string, { audience: string }>;
}

/**
 * Returns the audience of a session's credentials, tokens and cookies alike: that of its application (RFC 9068 section 4). Null
 * when the application does not exist any more: then they are for nobody.
 */
export function audienceOf(
  { clients }: Audiences,
  { clientId }: Pick<LiveSession, 'clientId'>,
): string | null {
  return clients.get(clientId)?.audience ?? null;
}

/** Returns every audience that credentials are issued for. */
export const audiencesOf = ({ clients }: Audiences): string[] => [
  ...new Set([...clients.values()].map(({ audience }) => audience)),
];

/** Whether a session's credentials are for Curfew itself. */
export const isForCurfew = (known: Audiences, session: Pick<LiveSession, 'clientId'>): boolean =>
  audienceOf(known, session) === known.audience;

/** Whether a session may administer. */
export const mayAdminister = (known: Audiences, session: LiveSession): boolean =>
  session.user.role === 'admin' && isForCurfew(known, session);
