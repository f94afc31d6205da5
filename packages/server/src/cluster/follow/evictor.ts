import { type EndingEvent, USER_OF } from '../../store/log/log-event.ts';
import { type Queryable, statement } from '../../store/statement.ts';
import { usersOf } from '../../domain/event-ending.ts';
import type { RedisCopies } from '../../cache/redis.ts';
import type { DurableReader, DurableWork, ReaderParts } from './log-reader.ts';

/** Keys in one command. */
const BATCH = 500;

/** Evicts contract 001's keys. Its cursor is durable: endings from while Redis was away are handled when it is back. */
export const evictor: DurableReader = {
  name: 'evictor',
  does: 'the eviction of cached keys',
  wants: ['sessions_ended', 'user_changed'],
  runs: 'all-nodes',
  needs: { setting: 'REDIS_URL', isSet: ({ redisUrl }) => redisUrl !== null },
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
    // Logouts of one moment share a command, and a user of several is in it once.
    const users = new Set<number>();
    for (const event of events) {
      // A tenant's users are not looked up: a copy that is evicted in vain is made again.
      if (event.scope === 'everyone' || event.scope === 'tenant') {
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
   * Redis may be restored from an old snapshot with keys that were evicted. Older keys than their life are gone; the rest is
   * evicted again.
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
      // Redis is away, and announces its return.
      if (!redis.healthy) return;
      try {
        if (returned) {
          returned = false;
          await evictAgain();
        }
        await pages();
      } catch (error) {
        returned = true;
        // The outage was logged where it began; the cursor has not moved.
        if (redis.healthy) throw error;
      }
    },
    wakes: (soon) =>
      redis.onReturn(() => {
        returned = true;
        soon();
      }),
    /** Another node evicted when it committed this; this node may have written a copy later. */
    took(_ending, event, own) {
      // The connection logs failures, and the next pass tries again.
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

/** The template as a glob; Redis's special characters are escaped. */
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
  `select scope, client_id, position, coalesce(user_ids, array_remove(array[${USER_OF}], null)) as user_ids from events e
   where type <> 'session_started' and at >= $1 and (${USER_OF} is not null or user_ids is not null
     or scope in ('client', 'tenant', 'everyone'))`,
);

/** The users whose sessions ended since an instant. */
async function usersEndedSince(
  on: Queryable,
  since: Date,
): Promise<{ everyone: boolean; clients: { clientId: string; position: number }[]; userIds: number[] }> {
  const rows = await endedSince.run(on, since);
  const userIds = new Set<number>();
  for (const row of rows) for (const id of row.user_ids ?? []) userIds.add(id);
  return {
    everyone: rows.some((row) => row.scope === 'everyone' || row.scope === 'tenant'),
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
