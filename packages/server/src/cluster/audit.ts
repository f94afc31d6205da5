import type { Database } from '../store/database.ts';
import { writeAuditRows } from '../store/log.ts';

/** Writes contract 004's `logs` from the log, each row once, whichever node gets to it first. */
export function auditPass(database: Database): () => Promise<void> {
  return () => writeAuditRows(database);
}
