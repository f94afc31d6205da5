import type { Database } from '../store/database.ts';
import type { EndingEvent } from '../store/log.ts';
import { markEnded } from '../store/revoke.ts';
import { endingsPass } from './readers.ts';

const BATCH = 500;

/**
 * Marks the rows that a cut has ended, for whoever reads the table (contract 001 names `is_active`). Liveness does not
 * wait for it: the view sees the cut.
 */
export function markerPass(database: Database): () => Promise<void> {
  const mark = async (events: EndingEvent[]): Promise<void> => {
    for (const event of events) if (isCutEvent(event)) await markEnded(database, event, BATCH);
  };
  // A login that was born below the cut can commit its row after it: it is found on the next look.
  return endingsPass(database, 'marker', mark, true);
}

function isCutEvent(event: EndingEvent): boolean {
  return event.type === 'sessions_ended' && event.scope !== 'sessions';
}
