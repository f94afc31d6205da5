import type { Ending } from '@curfew/protocol/ending';
import { advance, lowest, readCursor, writeCursor } from '@curfew/protocol/log-cursor';
import type { Statements } from './statements.ts';

export interface Logged {
  readonly xid: number;
  readonly ending: Ending;
  readonly atMs: number;
}

/**
 * A page of the log. The cursor is the server's own code. This models the one snapshot that a statement sees.
 * @param startMs a reader without a cursor gets the endings since this instant
 */
export function readLog(
  log: readonly Logged[],
  cursor: string | null,
  { nextXid, open }: Statements,
  startMs: number,
  pageSize: number,
): { endings: Ending[]; cursor: string; more: boolean } {
  const since = readCursor(cursor ?? '0');
  const sinceMs = cursor === null ? startMs : Number.NEGATIVE_INFINITY;
  const isNew = (xid: number, position: number): boolean =>
    xid >= since.next || position > (since.open.get(xid) ?? Number.POSITIVE_INFINITY);
  let from = log.length;
  while (from > 0 && (log[from - 1]?.xid ?? 0) >= lowest(since)) from--;
  const news = log
    .slice(from)
    .filter(({ xid, ending, atMs }) => atMs >= sinceMs && isNew(xid, ending.position));
  const page = news.slice(0, pageSize);
  const more = page.length < news.length;
  const last = page.at(-1);
  const seen = { next: nextXid, open: [...open].map(({ xid }) => xid) };
  const end = more && last ? { xid: last.xid, position: last.ending.position } : null;
  const reached = advance(since, seen, log.at(-1)?.xid ?? 0, end);
  return {
    endings: page.map(({ ending }) => ending),
    cursor: writeCursor(reached),
    more,
  };
}
