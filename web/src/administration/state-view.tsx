import type { Degraded, SystemState } from '@curfew/protocol/wire/system-state';
import { useSignal } from '@preact/signals';
import type { ComponentChildren, VNode } from 'preact';
import { useRef } from 'preact/hooks';
import { FaultNotice } from '../parts/fault-notice.tsx';
import { UnseenStatus } from '../parts/unseen-status.tsx';
import { say, sayCount, shown } from '../text/say.ts';
import { type Texts, useTexts } from '../text/texts.ts';
import { moment, relative, took } from '../text/time.ts';
import type { Api } from './api.ts';
import { useRegularly } from './live.ts';
import { faultSentence } from './outcome.tsx';
import { PropagationChart } from './propagation-chart.tsx';

const LOOK_MS = 2000;
/** Rows in the table beside the chart. */
const SPANS_SHOWN = 12;

/** The system's status: problems in plain words, then the numbers. */
export function StateView({ api }: { api: Api }): VNode {
  const texts = useTexts();
  const { tag, page, administration } = texts;
  const words = administration.system;
  const state = useSignal<SystemState | null>(null);
  const fault = useSignal<string | null>(null);
  const said = useSignal('');
  const saidOf = useRef<string | null>(null);
  useRegularly(async () => {
    try {
      const seen = await api.state();
      state.value = seen;
      fault.value = null;
      // Announced when the problems change, not when their numbers do.
      const troubles = seen.degraded.filter(({ level }) => level === 'trouble');
      const which = troubles.map(keyOf).join(' ');
      if (which === saidOf.current) return;
      saidOf.current = which;
      said.value = troubles.map((one) => degradedText(texts, one)).join(' ') || words.well;
    } catch (error) {
      fault.value = state.value ? administration.stale : faultSentence(texts, error);
    }
  }, LOOK_MS);
  const now = state.value;
  return (
    <section class="system stack">
      <div class="head">
        <h1>{words.title}</h1>
        <p class="small quiet">
          {now
            ? say(words.updated, { node: short(now.node.id), time: moment(tag, new Date(now.at)) })
            : page.loading}
        </p>
      </div>
      <UnseenStatus sentence={said} />
      <FaultNotice sentence={fault.value} />
      {now ? <Whole state={now} /> : null}
    </section>
  );
}

function Marking({ state: { marking } }: { state: SystemState }): VNode | null {
  const { tag, administration } = useTexts();
  if (marking.length === 0) return null;
  return (
    <Part title={administration.system.marking}>
      <ul class="stack tight">
        {marking.map(({ position, left }) => (
          <li key={position} class="notice">
            {sayCount(tag, administration.outcome.marking, left)}
          </li>
        ))}
      </ul>
    </Part>
  );
}

function Tiles({ state }: { state: SystemState }): VNode {
  const { tag, administration } = useTexts();
  const words = administration.system;
  const { database, node } = state;
  return (
    <dl class="tiles">
      <Tile label={words.sessions}>
        {state.sessions
          ? new Intl.NumberFormat(tag).format(state.sessions.alive)
          : administration.apps.counting}
      </Tile>
      <Tile label={words.database}>
        {database.answers && database.latency_ms !== null
          ? say(words[database.kind], { time: took(tag, database.latency_ms) })
          : words.away}
      </Tile>
      <Tile label="Redis">{{ up: words.redisUp, away: words.away, none: words.redisNone }[state.redis]}</Tile>
      <Tile label={words.fresh}>
        {node.fresh ? say(words.freshFor, { time: took(tag, node.age_ms ?? 0) }) : words.notFresh}
      </Tile>
      <Tile label={words.listeners}>{new Intl.NumberFormat(tag).format(state.notices.listeners)}</Tile>
    </dl>
  );
}

function Whole({ state }: { state: SystemState }): VNode {
  const texts = useTexts();
  const { tag, administration } = texts;
  const words = administration.system;
  const trouble = state.degraded.some(({ level }) => level === 'trouble');
  return (
    <>
      <ul class="stack tight">
        {trouble ? null : <li class="notice good">{words.well}</li>}
        {state.degraded.map((one) => (
          <li key={keyOf(one)} class={`notice ${one.level === 'trouble' ? 'bad' : ''}`}>
            {degradedText(texts, one)}
          </li>
        ))}
      </ul>
      <Tiles state={state} />
      <Propagation state={state} />
      <Marking state={state} />
      <Part title={words.nodes}>
        <Table
          label={words.nodes}
          heads={[words.node, words.started, words.condition]}
          rows={state.nodes.map((one) => [
            one.this ? `${short(one.id)} (${words.thisOne})` : short(one.id),
            moment(tag, new Date(one.started_at)),
            one.silent ? words.silent : words.alive,
          ])}
        />
      </Part>
      <Part title={words.verifiers}>
        {state.verifiers.length === 0 ? (
          <p class="quiet">{words.noVerifiers}</p>
        ) : (
          <Table
            label={words.verifiers}
            heads={[words.verifier, words.connected, words.knows, words.behind, words.unread]}
            rows={state.verifiers.map((one) => [
              [
                shown(one.replica),
                ...(one.key === null ? [] : [`${shown(one.key.name)} (key:${one.key.id})`]),
                ...(one.address === null ? [] : [one.address]),
              ].join(' · '),
              ago(tag, one.since, state.at),
              one.age_ms === null ? words.unknown : took(tag, one.age_ms),
              sayCount(tag, words.events, one.behind),
              new Intl.NumberFormat(tag, { style: 'unit', unit: 'byte', unitDisplay: 'long' }).format(
                one.unread_bytes,
              ),
            ])}
          />
        )}
      </Part>
      <Part title={words.readers}>
        <Table
          label={words.readers}
          heads={[words.reader, words.behind, words.lastDone, words.condition]}
          rows={state.readers.map((one) => [
            readerName(texts, one.name),
            behindText(texts, one),
            one.last_done === null ? '–' : ago(tag, one.last_done, state.at),
            one.failures > 0 ? words.failing : words.working,
          ])}
        />
      </Part>
    </>
  );
}

function Propagation({ state }: { state: SystemState }): VNode {
  const { tag, administration } = useTexts();
  const words = administration.system;
  const { spans } = state.propagation;
  const busy = spans.filter(({ count }) => count > 0);
  const time = new Intl.DateTimeFormat(tag, { timeStyle: 'medium', hourCycle: 'h23' });
  const number = new Intl.NumberFormat(tag, { maximumSignificantDigits: 3 });
  const ms = (value: number | null): string => (value === null ? '–' : number.format(value));
  const inMs = (head: string): string => `${head} (ms)`;
  return (
    <Part title={words.propagation}>
      {busy.length === 0 ? (
        <p class="quiet">{words.quiet}</p>
      ) : (
        <div class="chart-and-table">
          <PropagationChart spans={spans} label={words.chart} names={[words.median, words.p99]} />
          <Table
            label={words.propagation}
            heads={[
              words.time,
              words.logouts,
              inMs(words.median),
              inMs(words.p99),
              inMs(words.slowest),
              words.waitedOut,
            ]}
            rows={busy
              .slice(-SPANS_SHOWN)
              .toReversed()
              .map((span) => [
                time.format(new Date(span.at)),
                new Intl.NumberFormat(tag).format(span.count),
                ms(span.p50),
                ms(span.p99),
                ms(span.max),
                new Intl.NumberFormat(tag).format(span.waited_out),
              ])}
          />
        </div>
      )}
    </Part>
  );
}

function behindText({ tag, administration: { system } }: Texts, one: SystemState['readers'][number]): string {
  if (one.behind === null) return system.unknown;
  if (one.behind === 0) return system.upToDate;
  const count = sayCount(tag, system.events, one.behind);
  return `${one.more ? '> ' : ''}${count}${one.oldest_ms === null ? '' : ` · ${took(tag, one.oldest_ms)}`}`;
}

/** A reader of the log in words, or else by its own name. */
function readerName({ administration: { system } }: Texts, name: string): string {
  const names = new Map([
    ['audit', system.audit],
    ['marker', system.marker],
    ['evictor', system.evictor],
  ]);
  return names.get(name) ?? shown(name);
}

/** The problems' codes, without their numbers. */
const keyOf = ({ code, facts }: Degraded): string => `${code}${facts['name'] ?? ''}`;

/** The problems in words. */
function degradedText(texts: Texts, { code, facts }: Degraded): string {
  const { administration } = texts;
  const sentences: Record<string, string> = administration.degraded;
  const sentence = Object.hasOwn(sentences, code) ? sentences[code] : undefined;
  const name = facts['name'];
  const values = { ...facts, ...(typeof name === 'string' ? { name: readerName(texts, name) } : {}) };
  return sentence === undefined ? shown(code) : say(sentence, values);
}

function Part({ title, children }: { title: string; children: ComponentChildren }): VNode {
  return (
    <section class="stack tight part">
      <h2>{title}</h2>
      {children}
    </section>
  );
}

function Tile({ label, children }: { label: string; children: ComponentChildren }): VNode {
  return (
    <div class="tile">
      <dt class="small quiet">{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Table({ label, heads, rows }: { label: string; heads: string[]; rows: string[][] }): VNode {
  return (
    <div class="table" role="region" aria-label={label} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {heads.map((head) => (
              <th scope="col" key={head}>
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            <tr key={`${row[0]}${i}`}>
              {row.map((cell, at) =>
                at === 0 ? (
                  <th scope="row" key={at}>
                    <bdi>{cell}</bdi>
                  </th>
                ) : (
                  <td key={at}>{cell}</td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** An age with seconds, which matter here. */
function ago(tag: string, at: string, now: string): string {
  const seconds = Math.round((new Date(now).getTime() - new Date(at).getTime()) / 1000);
  if (seconds >= 60) return relative(tag, new Date(at), new Date(now));
  return new Intl.RelativeTimeFormat(tag, { numeric: 'auto' }).format(-Math.max(0, seconds), 'second');
}

/** Enough of an id to tell it from others. */
const short = (id: string): string => id.slice(-8);
