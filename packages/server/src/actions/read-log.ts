import { readActor } from '../domain/actor.ts';
import { type RefusalType, refusedActor } from '../domain/refusal.ts';
import type { LogEvent } from '../store/log/event.ts';
import { type EventFilter, type ReadFrom, readEvents } from '../store/log/page.ts';
import { isOfOthers, readRefusals, type RefusalRow } from '../store/refusals.ts';
import { atMost } from '../system/timers.ts';
import type { World } from '../world/world.ts';

/** An event as it is shown: who did it, and the session that asked where one did, each by itself. */
export interface ShownEvent extends Omit<LogEvent, 'type'> {
  type: LogEvent['type'] | RefusalType;
  actor_session: string | null;
  /** Of refused attempts: how many there were within the minute, of which `at` is the first. */
  count: number | null;
  last_at: Date | null;
}

interface LogPage {
  events: ShownEvent[];
  /** The position from which to go on; null when there is no more. */
  next: number | null;
}

/** So long what was refused a moment ago is waited for. */
const WRITE_WAIT_MS = 500;

/** A page of the log with what was refused: the newest before a position, or, with `after`, the oldest after it. */
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
  const page = [...events.map(shown), ...refused.map(shownRefusal)]
    .toSorted((a, b) => (from.after === null ? b.position - a.position : a.position - b.position))
    .slice(0, limit);
  return { events: page, next: page.length === limit ? (page.at(-1)?.position ?? null) : null };
}

/** An event as it is shown. */
export function shown<Event extends LogEvent>(event: Event): Event & ShownEvent {
  const { who, sid } = readActor(event.actor);
  return { ...event, actor: who, actor_session: sid, count: null, last_at: null };
}

/** The same of what was refused. */
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
    actor: refusedActor(row.type, row.user_id),
    actor_session: null,
    details:
      code === null && !others ? null : { ...(code === null ? {} : { code }), ...(others ? { others } : {}) },
  };
}
