import type { Logger } from 'pino';
import { type Config, WITHOUT_FSYNC } from '../config.ts';
import { endProcess } from '../system/end-process.ts';
import { realTimers, type Timers } from '../system/timers.ts';
import { refuseBackup } from './backup.ts';
import type { Database } from './database.ts';
import { openEmbedded } from './embedded.ts';
import { refuseMoved } from './move.ts';
import { openPostgres } from './postgres.ts';

/** Opens the configured database without migrating it. */
export function openDatabase(
  config: Config,
  log: Logger,
  onStep?: (what: string) => void,
  timers: Timers = realTimers,
): Promise<Database> | Database {
  const { database } = config;
  if (database.kind === 'embedded') {
    refuseBackup(database.directory);
    if (!database.fsync)
      log.warn({ setting: 'CURFEW_EMBEDDED_FSYNC' }, `${WITHOUT_FSYNC}: for tests and trials only`);
    return openEmbedded(database.directory, {
      fsync: database.fsync,
      timers,
      ...(onStep && { onStep }),
      // A move under way holds the directory.
      onLocked: () => refuseMoved(database.directory),
      onFailure: (failure) => endProcess(log, failure),
    });
  }
  return openPostgres({ ...database, log, timers });
}
