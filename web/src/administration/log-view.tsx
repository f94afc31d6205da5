import type { LoggedEvent } from '@curfew/protocol/wire/event';
import { useComputed, useSignal } from '@preact/signals';
import type { VNode } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { ActButton } from '../parts/act-button.tsx';
import { focusItem } from '../parts/focus.ts';
import { UnseenStatus } from '../parts/unseen-status.tsx';
import { apiFaultOf } from '../session/problem.ts';
import { sayCount } from '../text/say.ts';
import { useTexts } from '../text/texts.ts';
import { type Api, searchOf } from './api.ts';
import { EventList } from './event-list.tsx';
import { followLog, type LiveState } from './live.ts';
import { FILTERS, type Filters, LogFilters, queryOf } from './log-filters.tsx';
import { faultSentence } from './outcome.tsx';
import { base } from '../page/base.ts';

const PAGE = 50;
/** The oldest streamed events are dropped, so that a page that is open all night does not grow. */
const MOST = 1000;
const SAY_MS = 3000;

/** The log: filtered, live, and for download. */
export function LogView({ api }: { api: Api }): VNode {
  const texts = useTexts();
  const { tag, page, administration } = texts;
  const words = administration.events;
  const filters = useSignal<Filters>(FILTERS);
  const events = useSignal<LoggedEvent[] | null>(null);
  const next = useSignal<number | null>(null);
  /** Arrived while it was paused. */
  const waiting = useSignal<LoggedEvent[]>([]);
  const fresh = useSignal<ReadonlySet<number>>(new Set());
  const paused = useSignal(false);
  const standing = useSignal<LiveState>('connecting');
  const fault = useSignal<string | null>(null);
  const arrived = useSignal(0);
  const pause = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLUListElement>(null);
  /** The newest page was read once: what is new in a later read is news. */
  const loaded = useRef(false);
  const query = queryOf(filters.value);

  /** @param wanted the filters of the request: if they have changed meanwhile, the answer is dropped */
  const read = async (before: number | null, wanted: Filters = filters.value): Promise<void> => {
    try {
      const answer = await api.events({ ...queryOf(wanted), limit: PAGE, before });
      if (filters.value !== wanted) return;
      fault.value = null;
      if (before === null && loaded.current) return take(answer.events);
      // Streamed events may have arrived before the answer.
      events.value = merged(events.value ?? [], answer.events, Number.POSITIVE_INFINITY);
      next.value = answer.next;
      loaded.current = true;
    } catch (error) {
      if (filters.value !== wanted) return;
      const { code } = apiFaultOf(error);
      fault.value =
        code === 'invalid_request'
          ? words.wrong
          : code === 'took_too_long' || code === 'unavailable'
            ? words.tooLong
            : faultSentence(texts, error);
      events.value ??= [];
    }
  };
  /** Streamed events. */
  const take = (those: LoggedEvent[]): void => {
    if (!paused.value) return show(those);
    const news = newAmong(those, events.value);
    waiting.value = merged(waiting.value, news, MOST);
  };
  useEffect(() => {
    // Read at once, and again when the stream is open, which begins at its own moment: nothing is missed, and nothing shown twice.
    const stop = followLog(query, {
      event: (event) => take([event]),
      standing(now) {
        standing.value = now;
        if (now === 'live') void read(null);
      },
    });
    events.value = null;
    loaded.current = false;
    next.value = null;
    waiting.value = [];
    fresh.value = new Set();
    void read(null);
    return stop;
  }, [filters.value]);

  const show = (those: LoggedEvent[]): void => {
    const news = newAmong(those, events.value);
    if (news.length === 0) return;
    fresh.value = new Set([...[...fresh.value].slice(-MOST), ...news.map(({ position }) => position)]);
    events.value = merged(events.value ?? [], news, Math.max(MOST, events.value?.length ?? 0));
    arrived.value += news.length;
  };
  const older = async (): Promise<void> => {
    const had = events.value?.length ?? 0;
    await read(events.value?.at(-1)?.position ?? null);
    focusItem(list.current, had);
  };
  const goOn = (): void => {
    paused.value = false;
    show(waiting.value);
    waiting.value = [];
  };

  // Announced periodically, not for each event, so that a busy log does not keep screen readers talking.
  const toSay = useSignal(0);
  useEffect(() => {
    const timer = setTimeout(() => {
      toSay.value = arrived.value;
      arrived.value = 0;
    }, SAY_MS);
    return () => clearTimeout(timer);
  }, [arrived.value > 0]);
  const said = useComputed(() => (toSay.value > 0 ? sayCount(tag, words.arrived, toSay.value) : ''));

  const how = paused.value ? 'paused' : standing.value;
  return (
    <section class="log stack">
      <div class="row spread">
        <h1>{words.title}</h1>
        <div class="row">
          <span class={`badge live ${how}`} role="status">
            {how === 'paused' ? words.paused : how === 'live' ? words.live : words.connecting}
          </span>
          <button
            ref={pause}
            type="button"
            aria-pressed={paused.value}
            onClick={() => (paused.value ? goOn() : (paused.value = true))}
          >
            {paused.value ? words.resume : words.pause}
          </button>
        </div>
      </div>
      <LogFilters value={filters.value} onApply={(value) => (filters.value = value)} />
      <p class="row">
        <span class="small quiet">{words.export}:</span>
        <a class="small" download href={`${base}/v1/admin/events${searchOf({ ...query, format: 'csv' })}`}>
          CSV
        </a>
        <a class="small" download href={`${base}/v1/admin/events${searchOf({ ...query, format: 'jsonl' })}`}>
          JSON Lines
        </a>
      </p>
      <UnseenStatus sentence={said} />
      {fault.value === null ? null : (
        <p class="notice bad" role="alert">
          {fault.value}
        </p>
      )}
      {waiting.value.length === 0 ? null : (
        <p class="notice row spread">
          <span role="status">{sayCount(tag, words.waiting, waiting.value.length)}</span>
          <button
            type="button"
            class="plain"
            onClick={() => {
              goOn();
              // This button disappears with its sentence.
              pause.current?.focus();
            }}
          >
            {words.resume}
          </button>
        </p>
      )}
      {events.value === null ? (
        <p class="quiet" role="status">
          {page.loading}
        </p>
      ) : events.value.length === 0 ? (
        fault.value === null ? (
          <p class="notice">{words.nothing}</p>
        ) : null
      ) : (
        <EventList events={events.value} label={words.list} fresh={fresh.value} place={list} />
      )}
      {next.value === null ? null : (
        <div>
          <ActButton act={older} busy={page.loading}>
            {words.older}
          </ActButton>
        </div>
      )}
    </section>
  );
}

/** Events that are not shown yet, or with another count. */
function newAmong(those: readonly LoggedEvent[], shown: readonly LoggedEvent[] | null): LoggedEvent[] {
  const counts = new Map(shown?.map(({ position, count }) => [position, count]));
  return those.filter(({ position, count }) => counts.get(position) !== count);
}

/** Merges two lists without duplicates, newest first, up to a bound. */
function merged(a: readonly LoggedEvent[], b: readonly LoggedEvent[], most: number): LoggedEvent[] {
  const all = new Map([...a, ...b].map((event) => [event.position, event]));
  return [...all.values()].toSorted((x, y) => y.position - x.position).slice(0, most);
}
