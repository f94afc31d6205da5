/*
 * The actor of an event in the log: 'service', 'operator', 'system', 'key:<id>/<name>' of an API key, or 'user:<id>/<sid>' with the
 * session that asked. A login has no session yet, and is 'user:<id>'. A key's name never changes, so the log can carry it.
 */

export const userActor = (userId: number, sid: string | null): string =>
  sid === null ? `user:${userId}` : `user:${userId}/${sid}`;

export const keyActor = ({ id, name }: { id: number; name: string }): string => `key:${id}/${name}`;

interface Actor {
  /** 'user:<id>', 'key:<id>', 'service', 'operator' or 'system'. */
  who: string;
  userId: number | null;
  /** The session that asked. */
  sid: string | null;
  /** The name of the API key. */
  keyName: string | null;
}

export function readActor(actor: string): Actor {
  const [who = ''] = actor.split('/', 1);
  const rest = actor === who ? null : actor.slice(who.length + 1);
  const isKey = who.startsWith('key:');
  return {
    who,
    userId: who.startsWith('user:') ? Number(who.slice(5)) : null,
    sid: isKey ? null : rest,
    keyName: isKey ? rest : null,
  };
}
