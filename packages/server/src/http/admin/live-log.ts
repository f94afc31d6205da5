import { type Administrator, mayStillAdminister } from '../../actions/admit.ts';
import { followRefusals } from '../../actions/follow-refusals.ts';
import { shownEvent, type ShownEvent } from '../../actions/read-log.ts';
import { cursorNow, cursorSince } from '../../store/log/cursors.ts';
import type { Timers } from '../../system/timers.ts';
import type { World } from '../../world/world.ts';
import { type EventFilter, passing } from '../../store/log/page.ts';
import { readOn } from '../../store/log/follow.ts';
import type { Call } from '../environment.ts';
import type { OpenStreams } from './open-streams.ts';
import { refuse, RETRY_AFTER } from '../respond.ts';

/* The log as it grows: server-sent events (HTML Standard, section 9.2). */

/** Per node, because each stream polls the database. */
const MOST_STREAMS = 100;
const LOOK_MS = 300;
const PAGE = 200;
/** Proxies close silent connections. */
const HEARTBEAT_MS = 15_000;
/** How long a browser waits before it reconnects. */
const RETRY_MS = 2000;
/** After the database went back, the stream's place is unknown, and this much is sent again. */
const SHOWN_AGAIN_MS = 300_000;
/** After a failed read. */
const AGAIN_MS = 1000;

/** What comes next in the log for one stream, as the text of server-sent events. */
class LogTail {
  readonly #world: World;
  readonly #filter: EventFilter;
  #cursor: string;
  #epoch: string | null = null;
  #newRefusals: ReturnType<typeof followRefusals>;

  private constructor(world: World, filter: EventFilter, cursor: string) {
    this.#world = world;
    this.#filter = filter;
    this.#cursor = cursor;
    this.#newRefusals = followRefusals(world, filter);
  }

  static async open(world: World, filter: EventFilter, cursor: string | null): Promise<LogTail> {
    const tail = new LogTail(world, filter, cursor ?? (await cursorNow(world.database)));
    await tail.#newRefusals();
    return tail;
  }

  /**
   * The text to send now; empty when there is none, null when the caller may not look on any more.
   * @param quietMs how long nothing was sent; infinite before the first text
   */
  async next(quietMs: number, mayLook: () => Promise<boolean>): Promise<string | null> {
    const { database, system } = this.#world;
    const { events, cursor: next, provenance } = await readOn(database, this.#cursor, PAGE);
    const wentBack = provenance.behind || (this.#epoch !== null && this.#epoch !== provenance.epoch);
    this.#epoch = provenance.epoch;
    if (wentBack) {
      this.#cursor = await cursorSince(database, new Date(system.now().getTime() - SHOWN_AGAIN_MS));
      this.#newRefusals = followRefusals(this.#world, this.#filter);
      return '';
    }
    const wanted = [
      ...(await passing(database, events, this.#filter)).map(({ cursor: id, ...event }) => ({
        id,
        ...shownEvent(event),
      })),
      ...(await this.#newRefusals()).map((refusal) => ({ id: next, ...refusal })),
    ];
    // Checked after the read: a session that is known to be over gets nothing.
    if (!(await mayLook())) return null;
    const moved = next !== this.#cursor;
    this.#cursor = next;
    if (wanted.length > 0) return wanted.map(written).join('');
    if (quietMs === Number.POSITIVE_INFINITY) return `retry: ${RETRY_MS}\nid: ${next}\n\n`;
    // Events that did not match need not be read again after a reconnection.
    return quietMs >= HEARTBEAT_MS || (moved && events.length > 0) ? `id: ${next}\n\n` : '';
  }
}

/**
 * Streams new events that match the filter, until the client disconnects, the session ends or the node stops. It reads when the
 * client has room for more, so events for a slow client wait in the database.
 * @param cursor where to continue; null: from now
 */
export async function streamLog(
  c: Call,
  streams: OpenStreams,
  onlooker: Administrator,
  filter: EventFilter,
  cursor: string | null,
): Promise<Response> {
  const world = c.get('world');
  const { system } = world;
  if (streams.size >= MOST_STREAMS) return refuse(c, 'unavailable', {}, RETRY_AFTER);
  const encoder = new TextEncoder();
  let stopped = false;
  let gone = false;
  const nap = createNap(system);
  let spokeMs = Number.NEGATIVE_INFINITY;
  let looking = false;
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** At once, also when the client does not read: a stream of an ended session must not occupy another's place. */
  const over = (): void => {
    if (stopped) return;
    stopped = true;
    nap.wake();
    leave();
    unlisten();
    if (!looking && !gone) controller?.close();
  };
  const leave = streams.add(over);
  const unlisten = onlooker.session
    ? world.notices.listen(onlooker.session, { ended: over, changed: () => undefined })
    : () => undefined;
  const tail = await LogTail.open(world, filter, cursor).catch((error: unknown) => {
    over();
    throw error;
  });
  const body = new ReadableStream<Uint8Array>({
    start(its) {
      controller = its;
      if (stopped) its.close();
    },
    async pull(its) {
      looking = true;
      while (!stopped) {
        let text: string | null = '';
        let waitMs = LOOK_MS;
        try {
          const quietMs = system.monotonicMs() - spokeMs;
          text = await tail.next(quietMs, () => mayStillAdminister(world, onlooker));
          if (text === null) over();
        } catch (err) {
          system.log.info({ err }, 'could not read the log for a caller who follows it; will retry');
          waitMs = AGAIN_MS;
        }
        if (text && !stopped) {
          spokeMs = system.monotonicMs();
          looking = false;
          its.enqueue(encoder.encode(text));
          return;
        }
        await nap.sleep(waitMs);
      }
      if (!gone) its.close();
    },
    cancel() {
      gone = true;
      over();
    },
  });
  return c.body(body, 200, HEADERS);
}

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  // nginx would buffer the stream.
  'x-accel-buffering': 'no',
};

/** A sleep that is over at once when it was woken, now or before. */
function createNap(timers: Timers): { sleep(ms: number): Promise<void>; wake(): void } {
  let awake = false;
  let end = (): void => undefined;
  return {
    sleep: (ms) =>
      new Promise((resolve) => {
        if (awake) return resolve();
        const callOff = timers.after(ms, resolve);
        end = () => {
          callOff();
          resolve();
        };
      }),
    wake() {
      awake = true;
      end();
    },
  };
}

function written({ id, ...event }: ShownEvent & { id: string }): string {
  return `id: ${id}\ndata: ${JSON.stringify(event)}\n\n`;
}
