import type { SessionEnd, EndedBy, EndReason } from '@curfew/protocol/notices';
import { readActor } from './actor.ts';
import { idleSlackSeconds } from './session.ts';

/** What the database says of a session's end; of one that lives, that it does. */
export interface EndFacts {
  sid: string;
  userId: number;
  idleSeconds: number;
  idleExpiresAt: Date;
  expiresAt: Date;
  /** What its row says. */
  row: Act | null;
  /** The cut that has ended it and has not marked its row yet. */
  cut: Act | null;
}

interface Act {
  at: Date;
  actor: string;
  reason: EndReason | null;
}

/** Who ended the session, from where its owner stands. */
function endedBy(actor: string, session: { userId: number; sid: string }): EndedBy {
  const { who, userId, sid } = readActor(actor);
  if (userId === null) return who === 'system' || who === 'service' ? who : 'administrator';
  if (userId !== session.userId) return 'administrator';
  return sid === null || sid === session.sid ? 'self' : 'other_device';
}

/** The end of a session by an act of the log. */
export function endedByAct(act: Act, session: { userId: number; sid: string }): SessionEnd {
  return {
    reason: act.reason ?? 'logout',
    by: endedBy(act.actor, session),
    at: act.at.toISOString(),
  };
}

/** How the session ended, or null while it lives. */
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
