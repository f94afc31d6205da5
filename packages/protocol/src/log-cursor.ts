/*
 * How far a reader of the log has come: the snapshot of the database that its last read saw. The next read asks for what that
 * snapshot could not see, and so costs the same however long some transaction has been open.
 */

/** Of what a read saw: the transactions below `next` are over, but for those in `open`. */
export interface Snapshot {
  readonly next: number;
  readonly open: readonly number[];
}

/** Every event of a transaction below `next` was given, but those of `open`: of these, the positions up to a number. */
export interface LogCursor {
  readonly next: number;
  readonly open: ReadonlyMap<number, number>;
}

/**
 * The cursor after a read.
 *
 * A database that crashed gives out again the numbers of transactions of which nothing had reached the disk. The newest
 * committed event is on the disk, and every number below it with it, so no cursor goes further than that.
 * @param newest the transaction of the newest event in the log
 * @param last the last event of a page that was full; null when the read gave everything
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
  // Those that are over by now, and behind this page.
  for (const [xid, position] of from.open) if (xid > last.xid && !open.has(xid)) open.set(xid, position);
  open.set(last.xid, last.position);
  return { next, open };
}

/** Below it, everything was given. */
export function lowest({ next, open }: LogCursor): number {
  return Math.min(next, ...open.keys());
}

/** The cursor as a text: `<next>`, or `<next>:<xid>,<xid>~<position>`. A bare number gives everything from there on. */
export function writeCursor({ next, open }: LogCursor): string {
  const parts = [...open].map(([xid, position]) => (position === 0 ? String(xid) : `${xid}~${position}`));
  return parts.length === 0 ? String(next) : `${next}:${parts.join(',')}`;
}

/** What such a text looks like. */
export const CURSOR: RegExp = /^\d{1,19}(:\d{1,19}(~\d{1,16})?(,\d{1,19}(~\d{1,16})?)*)?$/;

/** Reads what `writeCursor` wrote. */
export function readCursor(text: string): LogCursor {
  const [next, parts] = text.split(':');
  const open = new Map<number, number>();
  for (const part of parts?.split(',') ?? []) {
    const [xid, position] = part.split('~');
    open.set(Number(xid), Number(position ?? 0));
  }
  return { next: Number(next), open };
}
