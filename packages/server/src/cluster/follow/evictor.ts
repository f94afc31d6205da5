import type { EndingEvent } from '../../store/log/event.ts';
import { type Queryable, statement } from '../../store/statement.ts';
import { usersOf } from '../../domain/ending.ts';
import type { RedisCopies } from '../../cache/redis.ts';
import type { DurableReader, DurableWork, ReaderParts } from './reader.ts';

/** Keys removed with one command. */
const BATCH = 500;

/** Evicts contract 001's keys. Its place is durable: what was ended while Redis was away is evicted when it is back. */
export const evictor: DurableReader = {
  name: 'evictor',
  does: 'the eviction of cached keys',
  wants: ['sessions_ended', 'user_changed'],
  runs: 'all-nodes',
  open: ({ redis, ...parts }) => (redis === null ? null : evictFrom(redis, parts)),
};

function evictFrom(
  redis: RedisCopies,
  { database, system, config }: Pick<ReaderParts, 'database' | 'system' | 'config'>,
): DurableWork {
  const { keys: templates, seconds } = config.cache;
  let returned = true;

  const evictUsers = (userIds: readonly number[]): Promise<void> => removeOf(redis, templates, userIds);

  async function deal(events: EndingEvent[]): Promise<void> {
    // Many logouts of a moment are one command, and a user of several of them is in it once.
    const users = new Set<number>();
    for (const event of events) {
      if (event.scope === 'everyone') {
        for (const template of templates) await redis.removeMatching(patternOf(template));
      } else if (event.scope === 'client') {
        for (const id of await usersOfClient(database, event.client_id ?? '', event.position)) users.add(id);
      } else {
        for (const id of usersOf(event)) users.add(id);
      }
    }
    await evictUsers([...users]);
  }

  /**
   * Redis may have come back from an old snapshot, with keys that were evicted long ago. What is older than a key's
   * life is gone by itself; the rest is evicted again.
   */
  async function evictAgain(): Promise<void> {
    const since = new Date(system.now().getTime() - (seconds + 60) * 1000);
    const again = await usersEndedSince(database, since);
    if (again.everyone) for (const template of templates) await redis.removeMatching(patternOf(template));
    await evictUsers(again.userIds);
    for (const client of again.clients)
      await evictUsers(await usersOfClient(database, client.clientId, client.position));
  }

  return {
    pages: { deal },
    async pass(pages) {
      // Redis is away: nothing to do until it is back, and it says so itself.
      if (!redis.healthy) return;
      try {
        if (returned) {
          returned = false;
          await evictAgain();
        }
        await pages();
      } catch (error) {
        returned = true;
        // That Redis went away was said once, where it happened; the place has not moved.
        if (redis.healthy) throw error;
      }
    },
    wakes: (soon) =>
      redis.onReturn(() => {
        returned = true;
        soon();
      }),
    /** Another node has evicted when it committed this; a copy that this node has written meanwhile may have come after that. */
    took(_ending, event, own) {
      // A failure is said by the connection, and the next pass tries again.
      if (!own && redis.healthy) deal([event]).catch(() => undefined);
    },
  };
}

async function removeOf(
  redis: RedisCopies,
  templates: readonly string[],
  userIds: readonly number[],
): Promise<void> {
  for (let i = 0; i < userIds.length; i += BATCH) {
    const keys = userIds
      .slice(i, i + BATCH)
      .flatMap((id) => templates.map((template) => keyOf(template, id)));
    if (keys.length > 0) await redis.remove(keys);
  }
}

const keyOf = (template: string, userId: number): string => template.replaceAll('{user_id}', String(userId));

/** The template as a glob; characters that mean something to Redis are escaped. */
function patternOf(template: string): string {
  return template
    .split('{user_id}')
    .map((part) => part.replace(/[\\*?[\]]/g, '\\$&'))
    .join('*');
}

const endedSince = statement<
  [since: Date],
  { scope: string | null; client_id: string | null; position: number; user_ids: number[] | null }
>(
  'users_ended_since',
  `select scope, client_id, position, coalesce(user_ids, array_remove(array[user_id], null)) as user_ids from events
   where type <> 'session_started' and at >= $1 and (user_id is not null or user_ids is not null
     or scope in ('client', 'everyone'))`,
);

/** Whose sessions ended since an instant. */
async function usersEndedSince(
  on: Queryable,
  since: Date,
): Promise<{ everyone: boolean; clients: { clientId: string; position: number }[]; userIds: number[] }> {
  const rows = await endedSince.run(on, since);
  const userIds = new Set<number>();
  for (const row of rows) for (const id of row.user_ids ?? []) userIds.add(id);
  return {
    everyone: rows.some((row) => row.scope === 'everyone'),
    clients: rows
      .filter((row) => row.scope === 'client')
      .map((row) => ({ clientId: row.client_id ?? '', position: row.position })),
    userIds: [...userIds],
  };
}

const clientUsers = statement<[clientId: string, position: number], { user_id: number }>(
  'users_of_client',
  `select distinct user_id from user_sessions where client_id = $1 and born < $2`,
);

/** The users who had a session of the application born below a position. */
async function usersOfClient(on: Queryable, clientId: string, position: number): Promise<number[]> {
  return (await clientUsers.run(on, clientId, position)).map((row) => row.user_id);
}
