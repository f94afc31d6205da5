import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, EXIT, Failed } from './declare.ts';
import type { LoggedEvent, Operator } from './operator.ts';
import { withOperator } from './reach.ts';
import { plain } from './terminal.ts';

const LOOK_MS = 500;
const PAGE = 1000;
const SHOWN_BEFORE = 10;
/** A server that is away is waited for so long before the command gives up. */
const PATIENCE_MS = 60_000;
/**
 * A position is drawn before its transaction commits, so an event can appear below one that was shown. So many positions below
 * the newest are read again at each look.
 */
const READ_AGAIN = 500;

const watch: Command = {
  words: 'watch',
  summary: 'Follow the log live: logins, logouts, changes, as they happen',
  description: [
    'Shows the last events and then every new one, until it is interrupted. With --json each is one line of JSON.',
  ],
  anywhere: true,
  options: {
    last: { value: 'N', about: `Events to show of what was before; ${SHOWN_BEFORE} unless given.` },
    for: { value: 'SECONDS', about: 'End by itself after so many seconds.' },
  },
  examples: ['curfew watch', 'curfew watch --json | grep refresh_replay'],
  run: (line) => {
    const last = line.whole('last', 0, PAGE) ?? SHOWN_BEFORE;
    const seconds = line.whole('for', 1, 31_536_000);
    const untilMs = seconds === undefined ? Number.POSITIVE_INFINITY : performance.now() + seconds * 1000;
    return withOperator(line, async (operator) => {
      const [newest] = await operator.events(null, 1);
      const before = last > 0 ? (await operator.events(null, last)).toReversed() : [];
      const show = (event: LoggedEvent): void => line.terminal.answer(event, lineOf(event));
      for (const event of before) show(event);
      const shown = new Set(before.map(({ position }) => position));
      await follow(operator, newest?.position ?? 0, shown, show, untilMs);
      return EXIT.done;
    });
  },
};

export const watchCommands: Command[] = [watch];

async function follow(
  operator: Operator,
  from: number,
  shown: Set<number>,
  show: (event: LoggedEvent) => void,
  untilMs: number,
): Promise<void> {
  // Nothing that was there at the beginning is new, shown or not.
  const oldest = from;
  let newest = from;
  let lastAnswerMs = performance.now();
  while (performance.now() < untilMs) {
    await sleep(Math.min(LOOK_MS, Math.max(0, untilMs - performance.now())));
    let events: LoggedEvent[];
    try {
      events = await operator.events(Math.max(oldest, newest - READ_AGAIN), PAGE);
      lastAnswerMs = performance.now();
    } catch (error) {
      // A server that is being restarted comes back.
      if (!(error instanceof Failed) || performance.now() - lastAnswerMs > PATIENCE_MS) throw error;
      continue;
    }
    for (const event of events) {
      if (shown.has(event.position)) continue;
      shown.add(event.position);
      show(event);
      newest = Math.max(newest, event.position);
    }
    for (const position of shown) if (position < newest - READ_AGAIN) shown.delete(position);
  }
}

/** One event for a person: when, what, whose, why, by whom, and from where. */
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
  const what = [
    event.type.replaceAll('_', ' '),
    whose,
    event.scope === null || event.scope === 'everyone' ? '' : `scope ${event.scope}`,
    ids.length === 1 ? `session ${ids[0]}` : '',
    event.reason ?? '',
    `by ${event.actor}`,
    event.contract === null ? '' : `through ${event.contract}`,
    event.ip_address === null ? '' : `from ${event.ip_address}`,
  ];
  return `${event.at}  ${what
    .filter((part) => part !== '')
    .map(plain)
    .join('  ')}`;
}
