/** Passes of readers of the log, run by a test itself. */
import { audit, writeAuditRows as deal } from '../../src/cluster/follow/audit.ts';
import { pagesPass } from '../../src/cluster/follow/pages-pass.ts';
import type { Database } from '../../src/store/database.ts';
import type { EndingEvent } from '../../src/store/log/log-event.ts';

/** Whether a statement ends sessions or changes users. */
export const endingsPass = (
  database: Database,
  name: string,
  deal: (events: EndingEvent[]) => Promise<void>,
  pageSize?: number,
): (() => Promise<void>) =>
  pagesPass(
    database,
    { name, wants: ['sessions_ended', 'user_changed'], runs: 'all-nodes' },
    { deal },
    pageSize,
  );

/** The audit's own. */
export const writeAuditRows = (database: Database, pageSize?: number): Promise<void> =>
  pagesPass(database, audit, { dealByPosition: deal }, pageSize)();
