import type { SessionEnd, EndedBy, EndReason } from '@curfew/protocol/notices';
import { readActor } from './actor.ts';
import { idleSlackSeconds } from './session.ts';

/** The end of a session by the database, if it has ended. */
export interface EndFacts {
  sid: string;
  userId: number;
  idleSeconds: number;
  idleExpiresAt: Date;
  expiresAt: Date;
  /** By its row. */
  row: EndingAct | null;
  /** By the cut that ended it, while its row is not marked yet. */
  cut: EndingAct | null;
}

interface EndingAct {
  at: Date;
  actor: string;
  reason: EndReason | null;
}

/** Who ended the session, as seen by its owner. */
function endedBy(actor: string, session: { userId: number; sid: string }): EndedBy {
  const { who, userId, sid, keyName } = readActor(actor);
  if (keyName !== null) return 'service';
  if (userId === null) return who === 'system' || who === 'service' ? who : 'administrator';
  if (userId !== session.userId) return 'administrator';
  return sid === null || sid === session.sid ? 'self' : 'other_device';
}

/** The end of a session by an event of the log. */
export function endedByAct(act: EndingAct, session: { userId: number; sid: string }): SessionEnd {
  return {
    reason: act.reason ?? 'logout',
    by: endedBy(act.actor, session),
    at: act.at.toISOString(),
  };
}

export function endOf(facts: EndFacts, now: Date): SessionEnd | null {
  if (facts.row) return endedByAct(facts.row, facts);
  const { cut, expiresAt, idleExpiresAt } = facts;
  const ranOutMs = Math.min(expiresAt.getTime(), idleExpiresAt.getTime());
  if (cut && cut.at.getTime() < ranOutMs) return endedByAct(cut, facts);
  if (expiresAt <= now) return { reason: 'absolute_timeout', by: 'system', at: expiresAt.toISOString() };
  if (idleExpiresAt.getTime() + idleSlackSeconds(facts.idleSeconds) * 1000 <= now.getTime())
    return { reason: 'idle_timeout', by: 'system', at: idleExpiresAt.toISOString() };
  return cut ? endedByAct(cut, facts) : null;
}
