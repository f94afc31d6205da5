import { type Administrator, mayStillAdminister } from '../../actions/admit.ts';
import { followRefusals } from '../../actions/follow-refusals.ts';
import { shown, type ShownEvent } from '../../actions/read-log.ts';
import { cursorNow, cursorSince } from '../../store/log/cursors.ts';
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
  const { database, system } = world;
  if (streams.size >= MOST_STREAMS) return refuse(c, 'unavailable', {}, RETRY_AFTER);
  const encoder = new TextEncoder();
  let stopped = false;
  let gone = false;
  let wake = (): void => undefined;
  let spokeMs = Number.NEGATIVE_INFINITY;
  let looking = false;
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** At once, also when the client does not read: a stream of an ended session must not occupy another's place. */
  const over = (): void => {
    if (stopped) return;
    stopped = true;
    wake();
    leave();
    unlisten();
    if (!looking && !gone) controller?.close();
  };
  const leave = streams.add(over);
  const unlisten = onlooker.session
    ? world.notices.listen(onlooker.session, { ended: over, changed: () => undefined })
    : () => undefined;
  let place: string;
  let epoch: string | null = null;
  let newRefusals = followRefusals(world, filter);
  try {
    place = cursor ?? (await cursorNow(database));
    await newRefusals();
  } catch (error) {
    over();
    throw error;
  }
  const sleep = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      if (stopped) return resolve();
      const callOff = system.after(ms, resolve);
      wake = () => {
        callOff();
        resolve();
      };
    });

  /** The text to send now; empty when there is none. */
  async function look(): Promise<string> {
    const { events, cursor: next, provenance } = await readOn(database, place, PAGE);
    const wentBack = provenance.behind || (epoch !== null && epoch !== provenance.epoch);
    epoch = provenance.epoch;
    if (wentBack) {
      place = await cursorSince(database, new Date(system.now().getTime() - SHOWN_AGAIN_MS));
      newRefusals = followRefusals(world, filter);
      return '';
    }
    const wanted = [
      ...(await passing(database, events, filter)).map(({ cursor: id, ...event }) => ({
        id,
        ...shown(event),
      })),
      ...(await newRefusals()).map((refusal) => ({ id: next, ...refusal })),
    ];
    // Checked after the read: a session that is known to be over gets nothing.
    if (!(await mayStillAdminister(world, onlooker))) {
      over();
      return '';
    }
    const moved = next !== place;
    place = next;
    if (wanted.length > 0) return wanted.map(written).join('');
    const quiet = system.monotonicMs() - spokeMs;
    if (spokeMs < 0) return `retry: ${RETRY_MS}\nid: ${place}\n\n`;
    // Events that did not match need not be read again after a reconnection.
    return quiet >= HEARTBEAT_MS || (moved && events.length > 0) ? `id: ${place}\n\n` : '';
  }

  const body = new ReadableStream<Uint8Array>({
    start(its) {
      controller = its;
      if (stopped) its.close();
    },
    async pull(its) {
      looking = true;
      while (!stopped) {
        let text = '';
        let waitMs = LOOK_MS;
        try {
          text = await look();
        } catch (err) {
          system.log.info({ err }, 'could not read the log for a caller who follows it; will retry');
          waitMs = AGAIN_MS;
        }
        if (text !== '' && !stopped) {
          spokeMs = system.monotonicMs();
          looking = false;
          its.enqueue(encoder.encode(text));
          return;
        }
        await sleep(waitMs);
      }
      if (!gone) its.close();
    },
    cancel() {
      gone = true;
      over();
    },
  });
  return c.body(body, 200, {
    'content-type': 'text/event-stream; charset=utf-8',
    // nginx would buffer the stream.
    'x-accel-buffering': 'no',
  });
}

function written({ id, ...event }: ShownEvent & { id: string }): string {
  return `id: ${id}\ndata: ${JSON.stringify(event)}\n\n`;
}
