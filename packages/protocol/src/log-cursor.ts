/*
 * How far a reader of the log has come: the snapshot of the database that its last read saw. The next read asks for what that
 * snapshot could not see, and costs the same however long a transaction has been open.
 */

/** What a read saw: all transactions below `next` except those in `open`. */
export interface Snapshot {
  readonly next: number;
  readonly open: readonly number[];
}

/** The events that were read: all of transactions below `next`, but of those in `open` only the positions up to a number. */
export interface LogCursor {
  readonly next: number;
  readonly open: ReadonlyMap<number, number>;
}

/**
 * Returns the cursor after a read.
 *
 * A database that crashed reuses the numbers of transactions that had not reached the disk. The newest committed event is on the
 * disk, and so is every number below it: no cursor goes further.
 * @param newest the transaction of the newest event in the log
 * @param last the last event of a full page; null when the read was complete
 */
export function advance(
  from: LogCursor,
  seen: Snapshot,
  newest: number,
  last: { readonly xid: number; readonly position: number } | null,
): LogCursor {
  const next = Math.min(seen.next, Math.max(from.next, (last?.xid ?? newest) + 1));
  const open = new Map<number, number>();
  for (const xid of seen.open) if (xid < next) open.set(xid, 0);
  if (last === null) return { next, open };
  // Transactions that are over by now, with events after this page.
  for (const [xid, position] of from.open) if (xid > last.xid && !open.has(xid)) open.set(xid, position);
  open.set(last.xid, last.position);
  return { next, open };
}

/** Every event of a transaction below this number was read. */
export function lowest({ next, open }: LogCursor): number {
  return Math.min(next, ...open.keys());
}

/** Writes a cursor: `<next>`, or `<next>:<xid>,<xid>~<position>`. A bare number reads everything from that transaction on. */
export function writeCursor({ next, open }: LogCursor): string {
  const parts = [...open].map(([xid, position]) => (position === 0 ? String(xid) : `${xid}~${position}`));
  return parts.length === 0 ? String(next) : `${next}:${parts.join(',')}`;
}

/** The text form of a cursor. */
export const CURSOR: RegExp = /^\d{1,19}(:\d{1,19}(~\d{1,16})?(,\d{1,19}(~\d{1,16})?)*)?$/;

export function readCursor(text: string): LogCursor {
  const [next, parts] = text.split(':');
  const open = new Map<number, number>();
  for (const part of parts?.split(',') ?? []) {
    const [xid, position] = part.split('~');
    open.set(Number(xid), Number(position ?? 0));
  }
  return { next: Number(next), open };
}
