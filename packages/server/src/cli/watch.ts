import { setTimeout as sleep } from 'node:timers/promises';
import type { LoggedEvent } from '@curfew/protocol/wire/event';
import { type Command, EXIT, Failed } from './declare.ts';
import type { Operator } from './operator.ts';
import { withOperator } from './reach.ts';
import { plain } from './terminal.ts';

const SHOWN_BEFORE = 10;
/** The earlier events that fit on one page. */
const PAGE = 1000;
/** The number of events already shown to remember: some come again after a reconnection. */
const REMEMBERED = 10_000;
/** A server that is away is asked again after a pause, up to this long. */
const AGAIN_MS = 500;
const PATIENCE_MS = 60_000;
/** The longest that a timer can run, about 24 days. */
const MOST_SECONDS = 2_147_483;

const watch: Command = {
  words: 'watch',
  summary: 'Follow the log live: logins, logouts and changes as they happen',
  description: [
    'The command prints the last events and then every new one, until you interrupt it. With --json each event is one line of JSON.',
  ],
  anywhere: true,
  options: {
    last: { value: 'N', about: `How many earlier events to print first. Default: ${SHOWN_BEFORE}.` },
    for: { value: 'SECONDS', about: 'Exit this many seconds after the first events are printed.' },
  },
  examples: ['curfew watch', 'curfew watch --json | grep refresh_replay'],
  run: (line) => {
    const last = line.integer('last', 0, PAGE) ?? SHOWN_BEFORE;
    const seconds = line.integer('for', 1, MOST_SECONDS);
    const stop = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    // Counted from the earlier events: on a slow machine the start alone can take seconds.
    const startClock = (): void => {
      if (seconds !== undefined) timer = setTimeout(() => stop.abort(), seconds * 1000);
    };
    return withOperator(line, async (operator) => {
      const show = (event: LoggedEvent): void => line.terminal.answer(event, lineOf(event));
      await follow(operator, last, stop.signal, show, startClock).finally(() => clearTimeout(timer));
      return EXIT.done;
    });
  },
};

export const watchCommands: Command[] = [watch];

async function follow(
  operator: Operator,
  last: number,
  stop: AbortSignal,
  show: (event: LoggedEvent) => void,
  onBegun: () => void,
): Promise<void> {
  const shown = new Set<number>();
  const showOnce = (event: LoggedEvent): void => {
    if (shown.has(event.position)) return;
    shown.add(event.position);
    show(event);
    for (const oldest of shown) {
      if (shown.size <= REMEMBERED) break;
      shown.delete(oldest);
    }
  };
  let cursor: string | null = null;
  let heardMs = performance.now();
  while (!stop.aborted) {
    try {
      for await (const news of operator.follow(cursor, stop)) {
        // Read after the stream has a cursor, so that no event is lost between the two.
        if (cursor === null) {
          const before = await operator.newestEvents(PAGE);
          for (const { position } of before.slice(last)) shown.add(position);
          for (const event of before.slice(0, last).toReversed()) showOnce(event);
          onBegun();
        }
        ({ cursor } = news);
        heardMs = performance.now();
        if (news.event) showOnce(news.event);
      }
    } catch (error) {
      // A restarting server comes back.
      const patient = cursor !== null && performance.now() - heardMs < PATIENCE_MS;
      if (!(error instanceof Failed) || !patient) throw error;
    }
    // An abort is not a failure.
    await sleep(AGAIN_MS, undefined, { signal: stop }).catch(() => undefined);
  }
}

/** An event for people: when, what, whose, why, by whom, and from where. */
function lineOf(event: LoggedEvent): string {
  const whose =
    event.user_id !== null
      ? `user ${event.user_id}`
      : event.user_ids !== null
        ? `users ${event.user_ids.slice(0, 5).join(', ')}${event.user_ids.length > 5 ? ', …' : ''}`
        : event.client_id !== null
          ? `application ${event.client_id}`
          : (event.scope ?? '');
  const ids = event.session_ids ?? [];
  const logins = event.logins ?? (event.login === null ? [] : [event.login]);
  const note = event.details?.['note'];
  const what = [
    event.type.replaceAll('_', ' '),
    whose,
    event.scope === null || event.scope === 'everyone' ? '' : `scope ${event.scope}`,
    ids.length === 1 ? `session ${ids[0]}` : '',
    logins.length === 1 ? `login ${logins[0]}` : '',
    event.reason ?? '',
    (event.count ?? 1) > 1 ? `${event.count} times` : '',
    `by ${event.actor_name === null ? event.actor : `${event.actor} (${event.actor_name})`}`,
    event.contract === null ? '' : `through ${event.contract}`,
    event.ip_address === null ? '' : `from ${event.ip_address}`,
    typeof note === 'string' ? `note: ${note}` : '',
  ];
  return `${event.at}  ${what
    .filter((part) => part !== '')
    .map(plain)
    .join('  ')}`;
}
