import type { EventFilter } from '../store/log/page.ts';
import { readLog, type ShownEvent } from './read-log.ts';
import type { World } from '../world/world.ts';

const PAGE = 500;

const COLUMNS = [
  'position',
  'at',
  'type',
  'scope',
  'reason',
  'user_id',
  'user_ids',
  'session_ids',
  'client_id',
  'device_id',
  'except_session',
  'actor',
  'contract',
  'ip_address',
  'user_agent',
  'request_id',
  'details',
  'actor_session',
  'count',
  'last_at',
  'actor_name',
  'login',
  'tenant',
  'logins',
] as const satisfies (keyof ShownEvent)[];

/** Streams the log from a position on, oldest first, page by page, in constant memory. */
export function exportEvents(
  world: World,
  filter: EventFilter,
  after: number,
  format: 'jsonl' | 'csv',
  /** Called before each page: a caller that was logged out meanwhile gets no more. */
  mayGoOn: () => Promise<boolean>,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let from = after;
  let begun = false;
  return new ReadableStream({
    async pull(controller) {
      const { events, next } = await readLog(world, filter, { before: null, after: from }, PAGE);
      if (!(await mayGoOn())) return controller.error(new Error('the caller was logged out'));
      const head = !begun && format === 'csv' ? `${COLUMNS.join(',')}\r\n` : '';
      begun = true;
      const lines = events.map((event) => (format === 'csv' ? csvLine(event) : `${JSON.stringify(event)}\n`));
      const text = head + lines.join('');
      if (text !== '') controller.enqueue(encoder.encode(text));
      if (next === null) controller.close();
      else from = next;
    },
  });
}

function csvLine(event: ShownEvent): string {
  return `${COLUMNS.map((name) => csvField(event[name])).join(',')}\r\n`;
}

/** RFC 4180. A text that a spreadsheet would take for a formula is escaped. */
function csvField(value: ShownEvent[keyof ShownEvent]): string {
  if (value === null) return '';
  const text = plainText(value);
  const safe = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function plainText(value: NonNullable<ShownEvent[keyof ShownEvent]>): string {
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
