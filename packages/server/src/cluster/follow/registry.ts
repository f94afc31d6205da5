import type { Ending } from '@curfew/protocol/ending';
import type { EndingEvent } from '../../store/log/log-event.ts';
import type { System } from '../../system/system.ts';
import { pagesPass } from './pages-pass.ts';
import { type Passes, startPasses } from './passes.ts';
import type {
  CommittedNews,
  DurableReader,
  DurableWork,
  Live,
  LogReader,
  ReaderParts,
} from './log-reader.ts';

interface Running {
  readonly reader: DurableReader;
  readonly passes: Passes;
  readonly soonFor: (committed: CommittedNews) => boolean;
}

/** The readers of the log in this process: those of the list that have something to do here. */
export class Readers {
  readonly #system: System;
  readonly #durable = new Map<DurableReader, Running>();
  readonly #live: { reader: LogReader; work: Partial<Live> }[] = [];

  constructor(list: readonly LogReader[], parts: ReaderParts) {
    this.#system = parts.system;
    for (const reader of list) {
      const work = reader.open(parts);
      if (work?.took) this.#live.push({ reader, work });
      if (work && reader.runs !== 'live') this.#durable.set(reader, start(reader, work, parts));
    }
  }

  /** Resolves when the reader has processed everything committed before the call, if it has anything to do here. */
  async catchUp(reader: DurableReader): Promise<void> {
    await this.#durable.get(reader)?.passes.catchUp();
  }

  /** Those with a cursor in the log. */
  durable(): readonly Pick<Running, 'reader' | 'passes'>[] {
    return [...this.#durable.values()];
  }

  /** This process has committed events. Readers that want them look in a moment; nobody waits. */
  committed(news: CommittedNews): void {
    for (const { soonFor, passes } of this.#durable.values()) if (soonFor(news)) passes.soon();
  }

  /** An ending is in this node's memory. */
  took(ending: Ending, event: EndingEvent, own: boolean): void {
    for (const { reader, work } of this.#live)
      try {
        if (reader.wants.includes(event.type)) work.took?.(ending, event, own);
      } catch (err) {
        // The memory that decides has it already; these only hear of it.
        this.#system.log.error(
          { err, reader: reader.name, position: event.position },
          'could not pass an ending to a reader of the log',
        );
      }
  }

  async close(): Promise<void> {
    for (const { passes } of [...this.#durable.values()].toReversed()) await passes.close();
  }
}

function start(reader: DurableReader, work: DurableWork, { database, system }: ReaderParts): Running {
  const pages = work.pages ? pagesPass(database, reader, work.pages) : () => Promise.resolve();
  const passes = startPasses(system, reader.name, work.pass ? () => work.pass?.(pages) ?? pages() : pages);
  work.wakes?.(() => passes.soon());
  return {
    reader,
    passes,
    soonFor: work.soonFor ?? (({ type }) => reader.wants.includes(type)),
  };
}
