import { lowest, readCursor } from '@curfew/protocol/log-cursor';
import type { Database } from '../../store/database.ts';
import { moveReaderBelow, openNow, readerCursor } from '../../store/log/cursors.ts';
import type { EndingEvent } from '../../store/log/log-event.ts';
import { readEndings } from '../../store/log/follow.ts';
import { markEnded } from '../../store/marking.ts';
import { PAGE } from './pages-pass.ts';
import type { DurableReader } from './log-reader.ts';

const BATCH = 500;

/** Cuts that were marked while transactions were open: each of these may still commit a session born below them. */
interface Unsettled {
  open: readonly number[];
  /** By key, the newest of each. */
  cuts: Map<string, EndingEvent>;
  /** The transaction of the oldest. */
  first: number;
}

/**
 * Marks the rows that a cut has ended, for readers of the table (contract 001 names `is_active`). Liveness does not need it: the
 * view sees the cut. It follows the log in its own way, because a cut may have to be marked again, and the next process must find
 * it: its cursor is not how far it has read.
 */
export const marker: DurableReader = {
  name: 'marker',
  does: 'the marking of rows',
  wants: ['sessions_ended'],
  runs: 'all-nodes',
  open: ({ database }) => ({ pass: markerPass(database), soonFor: ({ more }) => more === true }),
};

/** A cut is marked again exactly when a transaction that was open beside it ends, so one that stays open costs nothing. */
export function markerPass(database: Database): () => Promise<void> {
  let cursor: string | null = null;
  let unsettled: Unsettled[] = [];
  const mark = async (cuts: Iterable<EndingEvent>): Promise<void> => {
    await markEnded(database, [...cuts], BATCH);
  };
  return async () => {
    const { below } = await readerCursor(database, 'marker');
    // The marker of another process has finished with these.
    if (cursor === null || readCursor(cursor).next < Number(below)) cursor = below;
    let open: readonly number[] = [];
    for (let more = true; more; ) {
      const news = await readEndings(database, cursor, PAGE);
      const cuts = news.events.filter(isCutEvent);
      ({ cursor, more, open } = news);
      if (cuts.length === 0) continue;
      open = await openNow(database);
      await mark(cuts);
      if (open.length > 0)
        unsettled.push({
          open,
          cuts: new Map(cuts.map((cut) => [whatIsCut(cut), cut])),
          first: Math.min(...cuts.map(({ xid }) => xid)),
        });
    }
    unsettled = await settle(unsettled, open, mark);
    const firsts = unsettled.map(({ first }) => first);
    await moveReaderBelow(database, 'marker', Math.min(lowest(readCursor(cursor)), ...open, ...firsts));
  };
}

/** Marks again where a transaction has ended, and merges the cuts that wait for the same ones. */
async function settle(
  unsettled: readonly Unsettled[],
  open: readonly number[],
  mark: (cuts: Iterable<EndingEvent>) => Promise<void>,
): Promise<Unsettled[]> {
  const stillOpen = new Set(open);
  const kept = new Map<string, Unsettled>();
  for (const one of unsettled) {
    const left = one.open.filter((xid) => stillOpen.has(xid));
    if (left.length < one.open.length) await mark(one.cuts.values());
    if (left.length === 0) continue;
    const same = kept.get(left.join());
    if (!same) kept.set(left.join(), { ...one, open: left });
    else {
      for (const [what, cut] of one.cuts) same.cuts.set(what, cut);
      same.first = Math.min(same.first, one.first);
    }
  }
  return [...kept.values()];
}

function isCutEvent(event: EndingEvent): boolean {
  return event.type === 'sessions_ended' && (event.scope !== 'sessions' || event.logins !== null);
}

function whatIsCut(event: EndingEvent): string {
  const { scope, user_id, user_ids, client_id, device_id, except_session, login, logins, tenant } = event;
  return JSON.stringify([
    scope,
    user_id,
    user_ids,
    client_id,
    device_id,
    except_session,
    login,
    logins,
    tenant,
  ]);
}
