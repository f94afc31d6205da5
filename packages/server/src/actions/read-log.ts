import { readActor } from '../domain/actor.ts';
import { type EventFilter, type LogEvent, readEvents } from '../store/log.ts';
import type { World } from './world.ts';

/** An event as it is shown: who did it, and the session that asked where one did, each by itself. */
export interface ShownEvent extends LogEvent {
  actor_session: string | null;
}

/** A page of the log: the newest before a position, or, with `after`, the oldest after it. */
export async function readLog(
  world: Pick<World, 'database'>,
  filter: EventFilter,
  from: { before: number | null; after: number | null },
  limit: number,
): Promise<ShownEvent[]> {
  return (await readEvents(world.database, filter, from, limit)).map(shown);
}

/** An event as it is shown. */
export function shown<Event extends LogEvent>(event: Event): Event & ShownEvent {
  const { who, sid } = readActor(event.actor);
  return { ...event, actor: who, actor_session: sid };
}
