import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { advance, CURSOR, type LogCursor, lowest, readCursor, writeCursor } from '../src/log-cursor.ts';

const at = (next: number, open: readonly (readonly [number, number])[] = []): LogCursor => ({
  next,
  open: new Map(open),
});

describe('a cursor', () => {
  test('after a complete read holds exactly the open transactions', () => {
    expect(advance(at(5), { next: 20, open: [7, 12] }, 18, null)).toEqual(
      at(19, [
        [7, 0],
        [12, 0],
      ]),
    );
    expect(advance(at(19, [[7, 0]]), { next: 30, open: [] }, 25, null)).toEqual(at(26));
  });

  test('never exceeds the newest event, because a crash can reuse higher numbers', () => {
    expect(advance(at(5), { next: 900, open: [500] }, 18, null)).toEqual(at(19));
    expect(advance(at(19), { next: 900, open: [] }, 0, null)).toEqual(at(19));
  });

  test('goes back with a database that went back', () => {
    expect(advance(at(500), { next: 20, open: [] }, 15, null).next).toBe(20);
  });

  test('after a full page asks for its rest and for what comes after it', () => {
    const from = at(50, [
      [10, 3],
      [20, 0],
      [30, 7],
    ]);
    // 10 and 20 are over now, 30 too; the page ended within 20.
    expect(advance(from, { next: 80, open: [15, 60] }, 70, { xid: 20, position: 99 })).toEqual(
      at(50, [
        [15, 0],
        [30, 7],
        [20, 99],
      ]),
    );
    expect(advance(from, { next: 80, open: [15, 60, 75] }, 70, { xid: 65, position: 99 })).toEqual(
      at(66, [
        [15, 0],
        [60, 0],
        [65, 99],
      ]),
    );
  });

  test('is read back from its text, and from a bare number', () => {
    expect(readCursor('17')).toEqual(at(17));
    for (const one of [
      at(0),
      at(17, [[3, 0]]),
      at(
        2 ** 52,
        [...Array(50).keys()].map((i) => [i + 1, i]),
      ),
    ]) {
      expect(readCursor(writeCursor(one))).toEqual(one);
      expect(writeCursor(one)).toMatch(CURSOR);
    }
    for (const wrong of ['', 'x', '1:', '1:2~', '1:2,', '1 2', '1:2~3~4', "1'", '1:-2'])
      expect(wrong).not.toMatch(CURSOR);
  });
});

/** A log whose transactions begin, append, commit and roll back in any order, and a reader with pages of any size. */
test('returns each committed event once in any order of commits, and stays as short as the open transactions', () => {
  const step = fc.record({
    what: fc.constantFrom('begin', 'commit', 'rollback', 'read', 'read', 'crash'),
    which: fc.nat(5),
    events: fc.integer({ min: 1, max: 4 }),
    limit: fc.integer({ min: 1, max: 5 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const log: { xid: number; position: number }[] = [];
      let open: { xid: number; positions: number[] }[] = [];
      let nextXid = 1;
      let position = 1;
      let onDisk = 0;
      let cursor = '0';
      const given: number[] = [];
      const read = (limit: number): boolean => {
        const since = readCursor(cursor);
        const page = log
          .filter(
            (one) =>
              one.xid >= since.next || one.position > (since.open.get(one.xid) ?? Number.POSITIVE_INFINITY),
          )
          .toSorted((a, b) => a.xid - b.xid || a.position - b.position)
          .slice(0, limit);
        given.push(...page.map((one) => one.position));
        const newest = Math.max(0, ...log.map(({ xid }) => xid));
        const seen = { next: nextXid, open: open.map(({ xid }) => xid) };
        const more = page.length === limit;
        const reached = advance(since, seen, newest, more ? (page.at(-1) ?? null) : null);
        if (!more) expect(reached.open.size).toBeLessThanOrEqual(open.length);
        for (const { xid } of open) expect(lowest(reached)).toBeLessThanOrEqual(xid);
        cursor = writeCursor(reached);
        return more;
      };
      for (const { what, which, events, limit } of steps) {
        const one = open[which % Math.max(1, open.length)];
        if (what === 'begin')
          open.push({ xid: nextXid++, positions: Array.from({ length: events }, () => position++) });
        else if (what === 'read') read(limit);
        else if (what === 'crash') {
          open = [];
          nextXid = onDisk + 1;
        } else if (one) {
          open = open.filter((other) => other !== one);
          if (what === 'rollback') continue;
          log.push(...one.positions.map((of) => ({ xid: one.xid, position: of })));
          onDisk = Math.max(onDisk, one.xid);
        }
      }
      while (read(3));
      expect(given.toSorted((a, b) => a - b)).toEqual(
        log.map((one) => one.position).toSorted((a, b) => a - b),
      );
      expect(new Set(given).size).toBe(given.length);
    }),
    { numRuns: 2000 },
  );
});
