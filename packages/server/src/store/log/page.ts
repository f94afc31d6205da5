import { readActor } from '../../domain/actor.ts';
import { type Queryable, statement, statementWithFilters } from '../statement.ts';
import { COLUMNS, type LogEvent } from './log-event.ts';

/*
 * Endings of an application, a tenant or everyone name no user. They count for the users whose sessions were open then, as far as these
 * rows are still kept: the first ending of a session dates its end.
 */
const WIDE: readonly (string | null)[] = ['client', 'tenant', 'everyone'];
const endedWide = (
  userId: string,
): string => `e.user_id is null and e.scope in (${WIDE.map((scope) => `'${scope}'`).join()}) and exists (
       select 1 from user_sessions s
       where s.user_id = ${userId} and s.born < e.position
         and (e.scope = 'everyone' or s.client_id = e.client_id or s.tenant = e.tenant)
         and coalesce(s.ended_at, least(s.idle_expires_at, s.expires_at)) >= e.at)`;

const CONDITIONS = [
  'e.type = $?',
  'e.reason = $?',
  // By the index on user and position: an event of several users has no user of its own, and is rare.
  `e.position in (select position from events where user_id = $?
     union select position from events where user_id is null and (user_ids @> array[$?]::bigint[] or cut_user = $?)
     union select e.position from events e where ${endedWide('$?')})`,
  // The actor without its session; see domain/actor.ts.
  `split_part(e.actor, '/', 1) = $?`,
  'e.client_id = $?',
  'e.at >= $?',
  'e.at < $?',
  'e.position < $?',
  'e.position > $?',
];
const newestEvents = statementWithFilters<LogEvent>(
  'newest_events',
  1,
  (conditions) =>
    `select ${COLUMNS} from events e where true ${conditions} order by e.position desc limit $1`,
  CONDITIONS,
);
const oldestEvents = statementWithFilters<LogEvent>(
  'oldest_events',
  1,
  (conditions) => `select ${COLUMNS} from events e where true ${conditions} order by e.position limit $1`,
  CONDITIONS,
);

/** A filter of the log; null members match everything. */
export interface EventFilter {
  type: string | null;
  reason: string | null;
  userId: number | null;
  /** 'user:<id>', 'service', 'operator', 'system' or 'anonymous'. */
  actor: string | null;
  clientId: string | null;
  /** From this instant on. */
  since: Date | null;
  /** Before this one. */
  until: Date | null;
  /** Refusals only, or none. */
  refused: boolean | null;
}

export const EVERY_EVENT: EventFilter = {
  type: null,
  reason: null,
  userId: null,
  actor: null,
  clientId: null,
  since: null,
  until: null,
  refused: null,
};

/** Where a page begins: the newest before a position, or, with `after`, the oldest after it. */
export interface ReadFrom {
  before: number | null;
  after: number | null;
}

/** A page of the log. */
export function readEvents(
  on: Queryable,
  filter: EventFilter,
  from: ReadFrom,
  limit: number,
): Promise<LogEvent[]> {
  if (filter.refused === true) return Promise.resolve([]);
  const page = from.after === null ? newestEvents : oldestEvents;
  const { type, reason, userId, actor, clientId, since, until } = filter;
  return page.run(
    on,
    [limit],
    [type, reason, userId, actor, clientId, since, until, from.before, from.after],
  );
}

const wideOfUser = statement<[userId: number, positions: number[]], { position: number }>(
  'wide_endings_of_user',
  `select e.position from events e where e.position = any($2::bigint[]) and ${endedWide('$1')}`,
);

/** Filters events in memory. The database is asked only for events that do not name their users themselves. */
export async function passing<Event extends LogEvent>(
  on: Queryable,
  events: readonly Event[],
  filter: EventFilter,
): Promise<Event[]> {
  const { userId } = filter;
  if (filter.refused === true) return [];
  const wide = events.filter(({ scope }) => WIDE.includes(scope));
  const rows =
    userId === null || wide.length === 0
      ? []
      : await wideOfUser.run(
          on,
          userId,
          wide.map(({ position }) => position),
        );
  const ofUser = new Set(rows.map(({ position }) => position));
  return events.filter((event) => passesFilter(event, filter, ofUser.has(event.position)));
}

function passesFilter(event: LogEvent, filter: EventFilter, endedTheirs: boolean): boolean {
  const { type, reason, userId, actor, clientId, since, until } = filter;
  return (
    (type === null || event.type === type) &&
    (reason === null || event.reason === reason) &&
    (userId === null || event.user_id === userId || (event.user_ids ?? []).includes(userId) || endedTheirs) &&
    (actor === null || readActor(event.actor).who === actor) &&
    (clientId === null || event.client_id === clientId) &&
    (since === null || event.at >= since) &&
    (until === null || event.at < until)
  );
}
