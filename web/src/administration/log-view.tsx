import { type ReadonlySignal, useComputed, useSignal } from '@preact/signals';
import type { RefObject, VNode } from 'preact';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { base } from '../page/base.ts';
import { FaultNotice } from '../parts/fault-notice.tsx';
import { focusItem } from '../parts/focus.ts';
import { Loading } from '../parts/loading.tsx';
import { MoreButton } from '../parts/more-button.tsx';
import { UnseenStatus } from '../parts/unseen-status.tsx';
import { apiFaultOf } from '../session/problem.ts';
import { sayCount } from '../text/say.ts';
import { type Texts, useTexts } from '../text/texts.ts';
import { type Api, type Query, searchOf } from './api.ts';
import { EventList } from './event-list.tsx';
import { LiveLog } from './live-log.ts';
import { FILTERS, type Filters, LogFilters, queryOf } from './log-filters.tsx';
import { faultSentence } from './outcome.tsx';

const SAY_MS = 3000;

/** The log: filtered, live, and for download. */
export function LogView({ api }: { api: Api }): VNode {
  const texts = useTexts();
  const words = texts.administration.events;
  const filters = useSignal<Filters>(FILTERS);
  const log = useMemo(() => new LiveLog(api), [api]);
  const pause = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const query = queryOf(filters.value);
  useEffect(() => log.follow(query), [filters.value]);
  const said = useArrivals(log);
  const older = async (): Promise<void> => {
    const had = log.events.value?.length ?? 0;
    await log.older();
    focusItem(list.current, had);
  };
  return (
    <section class="log stack">
      <div class="row spread">
        <h1>{words.title}</h1>
        <PauseButton log={log} place={pause} />
      </div>
      <LogFilters value={filters.value} onApply={(value) => (filters.value = value)} />
      <Downloads query={query} />
      <UnseenStatus sentence={said} />
      <FaultNotice sentence={log.problem.value === null ? null : readFault(texts, log.problem.value)} />
      <WaitingEvents
        log={log}
        onShown={() => pause.current?.focus() /* The button of the sentence disappears with it. */}
      />
      <FoundEvents log={log} list={list} />
      <MoreButton more={log.next.value !== null} load={older} label={words.older} />
    </section>
  );
}

/** Whether the log is live, and the button that pauses it. */
function PauseButton({ log, place }: { log: LiveLog; place: RefObject<HTMLButtonElement | null> }): VNode {
  const words = useTexts().administration.events;
  const paused = log.paused.value;
  const how = paused ? 'paused' : log.standing.value;
  return (
    <div class="row">
      <span class={`badge live ${how}`} role="status">
        {how === 'paused' ? words.paused : how === 'live' ? words.live : words.connecting}
      </span>
      <button
        ref={place}
        type="button"
        aria-pressed={paused}
        onClick={() => (paused ? log.goOn() : (log.paused.value = true))}
      >
        {paused ? words.resume : words.pause}
      </button>
    </div>
  );
}

function Downloads({ query }: { query: Query }): VNode {
  const addressOf = (format: string): string => `${base}/v1/admin/events${searchOf({ ...query, format })}`;
  return (
    <p class="row">
      <span class="small quiet">{useTexts().administration.events.export}:</span>
      <a class="small" download href={addressOf('csv')}>
        CSV
      </a>
      <a class="small" download href={addressOf('jsonl')}>
        JSON Lines
      </a>
    </p>
  );
}

function WaitingEvents({ log, onShown }: { log: LiveLog; onShown: () => void }): VNode | null {
  const { tag, administration } = useTexts();
  const words = administration.events;
  const count = log.waiting.value.length;
  return count === 0 ? null : (
    <p class="notice row spread">
      <span role="status">{sayCount(tag, words.waiting, count)}</span>
      <button
        type="button"
        class="plain"
        onClick={() => {
          log.goOn();
          onShown();
        }}
      >
        {words.resume}
      </button>
    </p>
  );
}

function FoundEvents({
  log,
  list,
}: {
  log: LiveLog;
  list: RefObject<HTMLUListElement | null>;
}): VNode | null {
  const words = useTexts().administration.events;
  const events = log.events.value;
  if (events === null) return <Loading />;
  if (events.length > 0)
    return <EventList events={events} label={words.list} fresh={log.fresh.value} place={list} />;
  return log.problem.value === null ? <p class="notice">{words.nothing}</p> : null;
}

/** Announced periodically, not for each event, so that a busy log does not keep screen readers talking. */
function useArrivals(log: LiveLog): ReadonlySignal<string> {
  const { tag, administration } = useTexts();
  const toSay = useSignal(0);
  useEffect(() => {
    const timer = setTimeout(() => {
      toSay.value = log.arrived.value;
      log.arrived.value = 0;
    }, SAY_MS);
    return () => clearTimeout(timer);
  }, [log.arrived.value > 0]);
  return useComputed(() =>
    toSay.value > 0 ? sayCount(tag, administration.events.arrived, toSay.value) : '',
  );
}

function readFault(texts: Texts, error: unknown): string {
  const { events: words } = texts.administration;
  const { code } = apiFaultOf(error);
  if (code === 'invalid_request') return words.wrong;
  return code === 'took_too_long' || code === 'unavailable' ? words.tooLong : faultSentence(texts, error);
}
