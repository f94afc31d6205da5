/** Whoever reads the log of the server may stop reading, or go: the server neither waits for them nor outlives them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { freshData } from '../services/embedded-data.ts';
import { freePort } from '../services/scratch.ts';
import { callerOf, SERVICE_KEY } from '../support.ts';
import { opened } from '../http/logins.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
/** Some two hundred bytes of log each: more than any pipe holds. */
const REQUESTS = 3000;

async function start(): Promise<{ child: ChildProcess; call: ReturnType<typeof callerOf> }> {
  const port = await freePort();
  const child = spawn(process.execPath, ['--conditions=curfew-source', MAIN, 'serve'], {
    env: {
      PATH: process.env['PATH'],
      PORT: String(port),
      CURFEW_DATA: freshData('log-reader'),
      CURFEW_SERVICE_KEYS: SERVICE_KEY,
    },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const call = callerOf((request) => fetch(request), `http://127.0.0.1:${port}`);
  await expect
    .poll(() =>
      call('GET', '/readyz').then(
        ({ status }) => status,
        () => 0,
      ),
    )
    .toBe(200);
  return { child, call };
}

const fill = async (call: ReturnType<typeof callerOf>): Promise<void> => {
  for (let left = REQUESTS; left > 0; left -= 50)
    await Promise.all(Array.from({ length: 50 }, () => call('GET', '/healthz')));
};

test.each([
  ['does not read any more', (child: ChildProcess) => void child.stdout?.pause()],
  ['has gone', (child: ChildProcess) => void child.stdout?.destroy()],
])('a reader that %s: logouts are answered, and SIGTERM ends the process', async (_how, leave) => {
  const { child, call } = await start();
  const ended = once(child, 'exit') as Promise<[number | null]>;
  try {
    leave(child);
    await fill(call);
    const { bearer } = await opened(call, 2);
    expect((await call('POST', '/v1/logout', { bearer })).json).toMatchObject({ ended: 1, confirmed: true });
    child.kill('SIGTERM');
    expect((await ended)[0]).toBe(0);
  } finally {
    child.kill('SIGKILL');
  }
});
