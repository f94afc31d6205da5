import type { SessionView, UserSession } from '@curfew/protocol/wire/session';
import { readActor } from '../domain/actor.ts';
import { describeUserAgent } from '../domain/device.ts';
import { clientWithin, idleExpiry, type LiveSession, shownActivity } from '../domain/session.ts';
import {
  countSessionsOfUser,
  listSessionsOfUser,
  pageOfSessions,
  type SessionFilter,
  type SessionSummary,
} from '../store/session-lists.ts';
import type { World } from '../world/world.ts';

/** The user's own sessions are counted up to this bound: each costs a look at four cuts. */
const MOST_COUNTED = 10_000;

interface OwnSessions {
  sessions: SessionView[];
  /** The session to continue after; null when there are no more. */
  next: string | null;
  total: number;
}

/** "My devices": the user's live sessions, newest first. The caller's own session is on the first page, however old, and on no other. */
export async function listOwnSessions(
  world: World,
  session: LiveSession,
  before: string | null,
  limit: number,
): Promise<OwnSessions> {
  const { database, system } = world;
  const { userId, sid } = session;
  const clientId = clientWithin(session);
  const now = system.now();
  const except = before === null ? null : sid;
  const rows = await listSessionsOfUser(database, now, userId, { before, except, clientId }, limit + 1);
  const page = rows.slice(0, limit);
  const next = rows.length > limit ? (page.at(-1)?.id ?? null) : null;
  if (before === null && !page.some(({ id }) => id === sid))
    page.push(...(await pageOfSessions(database, now, { userId, sids: [sid], alive: true }, 1)));
  const total =
    before === null && next === null
      ? page.length
      : await countSessionsOfUser(database, now, userId, clientId, MOST_COUNTED);
  return { sessions: page.map((row) => viewOf(world, row)), next, total };
}

/** Sessions for the administration, newest first, with their ends. */
export async function listSessions(
  world: World,
  filter: SessionFilter,
  limit: number,
): Promise<UserSession[]> {
  const rows = await pageOfSessions(world.database, world.system.now(), filter, limit);
  return rows.map((row) => ({
    ...viewOf(world, row),
    email: row.email,
    active: row.open,
    ended:
      row.ended_at === null
        ? null
        : {
            at: row.ended_at.toISOString(),
            by: readActor(row.ended_by ?? 'system').who,
            reason: row.ended_reason ?? 'logout',
          },
  }));
}

/** A session as shown to its owner and to an administrator. */
export function viewOf({ system }: World, row: SessionSummary): SessionView {
  const { created_at: createdAt, expires_at: expiresAt } = row;
  const lastSeen = shownActivity(row.last_seen_at, createdAt);
  return {
    id: row.id,
    user_id: row.user_id,
    client_id: row.client_id,
    contract: row.contract,
    device: { id: row.device_id, name: row.device_name, ...describeUserAgent(row.user_agent) },
    ip_address: row.ip_address,
    place: row.ip_address === null ? null : system.places.of(row.ip_address),
    created_at: createdAt.toISOString(),
    last_seen_at: lastSeen.toISOString(),
    expires_at: expiresAt.toISOString(),
    // Computed from the displayed activity, so that it reveals nothing more.
    idle_expires_at: idleExpiry(lastSeen, row.idle_seconds, expiresAt).toISOString(),
  };
}
