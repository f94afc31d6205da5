import type { Database } from '../../store/database.ts';
import { moveReader, readerCursor, advanceCursor } from '../../store/log/cursors.ts';
import type { EndingEvent } from '../../store/log/log-event.ts';
import { type News, readPositions, readWanted } from '../../store/log/follow.ts';
import type { Queryable } from '../../store/statement.ts';
import type { DurableReader, PageWork } from './log-reader.ts';

/** Events at a time, so that any backlog takes constant memory. */
export const PAGE = 5000;

/** A pass over a reader's new events, page by page, until there are no more. */
export function pagesPass(
  database: Database,
  reader: Omit<DurableReader, 'does' | 'open'>,
  work: PageWork,
  pageSize: number = PAGE,
): () => Promise<void> {
  const { name, wants, begins } = reader;
  const read = readerOf(work, wants, pageSize);
  /** False: another node has processed it meanwhile. */
  const dealOnce = (from: string, news: PassPage): Promise<boolean> =>
    database.transaction(async (on) => {
      if (!(await advanceCursor(on, name, from, news.cursor))) return false;
      if (!news.isEmpty) await news.deal(on);
      return true;
    });
  const dealAndMove = async (news: PassPage): Promise<boolean> => {
    if (!news.isEmpty) await news.deal(database);
    await moveReader(database, name, news.cursor);
    return true;
  };
  return async () => {
    let { cursor } = await readerCursor(database, name, begins);
    for (let more = true; more; ) {
      const news = await read(database, cursor);
      if (news.isEmpty && news.cursor === cursor) return;
      const isOurs = reader.runs === 'one-node' ? await dealOnce(cursor, news) : await dealAndMove(news);
      ({ cursor, more } = isOurs ? news : { ...(await readerCursor(database, name)), more: true });
    }
  };
}

interface PassPage {
  cursor: string;
  more: boolean;
  isEmpty: boolean;
  deal(on: Queryable): Promise<void>;
}

function readerOf(
  work: PageWork,
  wants: DurableReader['wants'],
  pageSize: number,
): (on: Queryable, cursor: string) => Promise<PassPage> {
  const page = <Event>(
    { events, cursor, more }: News<Event>,
    deal: (events: Event[], on: Queryable) => Promise<void>,
  ): PassPage => ({ cursor, more, isEmpty: events.length === 0, deal: (on) => deal(events, on) });
  if ('deal' in work)
    return async (on, cursor) =>
      page<EndingEvent>(await readWanted(on, cursor, pageSize, wants), (events, at) => work.deal(events, at));
  return async (on, cursor) =>
    page(await readPositions(on, cursor, pageSize, wants), (events, at) =>
      work.dealByPosition(
        events.map(({ position }) => position),
        at,
      ),
    );
}
