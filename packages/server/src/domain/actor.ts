/*
 * The actor of an event in the log: 'service', 'operator', 'system', or 'user:<id>/<sid>' with the session that asked. A login
 * has no session yet, and is 'user:<id>'.
 */

export const userActor = (userId: number, sid: string | null): string =>
  sid === null ? `user:${userId}` : `user:${userId}/${sid}`;

interface Actor {
  /** 'user:<id>', 'service', 'operator' or 'system'. */
  who: string;
  userId: number | null;
  /** The session that asked. */
  sid: string | null;
}

export function readActor(actor: string): Actor {
  const [who = '', sid = null] = actor.split('/');
  return { who, userId: who.startsWith('user:') ? Number(who.slice(5)) : null, sid };
}
