/** The reader of the server's log may stop reading, or exit: the server neither waits for it nor outlives its own end. */
import type { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { opened } from '../http/logins.ts';
import { freshData } from '../services/embedded-data.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { type Caller, migrated, SERVICE_KEY } from '../support.ts';
import { serve } from './processes.ts';

/** Each is a line of some four thousand bytes: together more than any pipe holds. */
const REQUESTS = 250;
const LONG_PATH = `/${'x'.repeat(4000)}`;

async function fill(call: Caller): Promise<void> {
  for (let left = REQUESTS; left > 0; left -= 50)
    await Promise.all(Array.from({ length: 50 }, () => call('GET', LONG_PATH)));
}

test.each([
  ['does not read any more', (log: Readable) => void log.pause()],
  ['has gone', (log: Readable) => void log.destroy()],
])('with a log reader that %s, logouts are answered, and SIGTERM ends the process', async (_how, leave) => {
  const { call, log, signal, exited } = await serve({
    ...(hasPostgres()
      ? { DATABASE_URL: await freshDatabase(migrated) }
      : { CURFEW_DATA: freshData('log-reader'), CURFEW_EMBEDDED_FSYNC: '0' }),
    CURFEW_SERVICE_KEYS: SERVICE_KEY,
    CURFEW_DEMO_ACCOUNTS: '1',
  });
  try {
    leave(log);
    await fill(call);
    const { bearer } = await opened(call, 2);
    expect((await call('POST', '/v1/logout', { bearer })).json).toMatchObject({ ended: 1, confirmed: true });
    signal('SIGTERM');
    expect(await exited).toBe(0);
  } finally {
    signal('SIGKILL');
  }
});
