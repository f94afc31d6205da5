import { readActor } from '../domain/actor.ts';
import { type RefusalType, refusedActor } from '../domain/refusal-types.ts';
import type { LogEvent } from '../store/log/log-event.ts';
import { type EventFilter, type ReadFrom, readEvents } from '../store/log/page.ts';
import { isOfOthers, readRefusals, type RefusalRow } from '../store/refusals.ts';
import { atMost } from '../system/timers.ts';
import type { World } from '../world/world.ts';

/** An event as displayed, with the actor and its session apart. */
export interface ShownEvent extends Omit<LogEvent, 'type'> {
  type: LogEvent['type'] | RefusalType;
  actor_name: string | null;
  actor_session: string | null;
  /** For refusals: their number within the minute, of which `at` is the first. */
  count: number | null;
  last_at: Date | null;
}

interface LogPage {
  events: ShownEvent[];
  /** The position to continue from; null when there is no more. */
  next: number | null;
}

/** How long to wait for refusals that are not written yet. */
const WRITE_WAIT_MS = 500;

/** A page of the log with refusals: the newest before a position, or, with `after`, the oldest after it. */
export async function readLog(
  { database, refusals, system }: Pick<World, 'database' | 'refusals' | 'system'>,
  filter: EventFilter,
  from: ReadFrom,
  limit: number,
): Promise<LogPage> {
  await atMost(system, WRITE_WAIT_MS, refusals.write(), undefined);
  const [events, refused] = await Promise.all([
    readEvents(database, filter, from, limit),
    readRefusals(database, filter, from, limit),
  ]);
  const page = [...events.map(shownEvent), ...refused.map(shownRefusal)]
    .toSorted((a, b) => (from.after === null ? b.position - a.position : a.position - b.position))
    .slice(0, limit);
  return { events: page, next: page.length === limit ? (page.at(-1)?.position ?? null) : null };
}

/** An event as it is shown. */
export function shownEvent<Event extends LogEvent>(event: Event): Event & ShownEvent {
  const { who, sid, keyName } = readActor(event.actor);
  return { ...event, actor: who, actor_name: keyName, actor_session: sid, count: null, last_at: null };
}

/** A refusal as displayed. */
export function shownRefusal(row: RefusalRow): ShownEvent {
  const { source: _source, code, ...shownAsItIs } = row;
  const others = isOfOthers(row);
  return {
    ...shownAsItIs,
    scope: null,
    reason: null,
    user_ids: null,
    session_ids: null,
    device_id: null,
    except_session: null,
    login: null,
    logins: null,
    tenant: null,
    actor: refusedActor(row.type, row.user_id),
    actor_name: null,
    actor_session: null,
    details:
      code === null && !others ? null : { ...(code === null ? {} : { code }), ...(others ? { others } : {}) },
  };
}
