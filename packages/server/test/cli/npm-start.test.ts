/** `npm start`: its first start announces its steps, and the end of npm ends the server. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Environment } from '../../src/config.ts';
import { freshData } from '../services/embedded-data.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { openQuickly } from '../services/open-embedded.ts';
import { childrenOf, compileCache, isAlive, makeScratch, signal, waitGone } from '../services/scratch.ts';
import { migrated } from '../support.ts';

const ROOT = join(import.meta.dirname, '../../../..');

/** Starts it, and waits until the server listens. */
async function npmStart(place: Environment) {
  const npm = spawn('npm', ['start'], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], PORT: '0', ...compileCache(), ...place },
    stdio: ['ignore', 'pipe', 'inherit'],
    // No signal but those of the test.
    detached: true,
  });
  let out = '';
  npm.stdout.on('data', (chunk) => (out += String(chunk)));
  // Every process that could write has ended.
  const over = once(npm.stdout, 'end');
  while (!out.includes('"msg":"listening"')) {
    if (npm.stdout.readableEnded) throw new Error(`it ended\n${out}`);
    await Promise.race([once(npm.stdout, 'data'), over]);
  }
  const servers = childrenOf(npm.pid ?? 0);
  onTestFinished(() => {
    for (const pid of servers) signal(pid, 'SIGKILL');
  });
  expect(servers.map(isAlive)).toEqual([true]);
  return {
    said: (): string[] =>
      out
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => (JSON.parse(line) as { msg: string }).msg),
    /** Sends the signal to npm alone. */
    end: async (name: NodeJS.Signals): Promise<void> => {
      npm.kill(name);
      await over;
      await waitGone(servers);
    },
  };
}

test('a first start announces each step before it, and SIGKILL to npm alone leaves the directory free', async () => {
  const CURFEW_DATA = join(makeScratch('first'), 'data');
  const { said, end } = await npmStart({ CURFEW_DATA });
  expect(said()[0]).toBe(`creating the embedded database in ${CURFEW_DATA}: this takes some seconds, once`);
  expect(said()[1]).toBe('applying migration 0001-first.sql');
  expect(said().indexOf('listening')).toBeGreaterThan(2);
  await end('SIGKILL');
  // In order, and not by force.
  expect(said().at(-1)).toBe('stopped');
  expect(existsSync(join(CURFEW_DATA, 'server.json'))).toBe(false);
  await (await openQuickly(CURFEW_DATA)).close();
});

test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
  '%s to npm alone shuts the server down cleanly',
  async (name) => {
    const { said, end } = await npmStart(
      hasPostgres()
        ? { DATABASE_URL: await freshDatabase(migrated) }
        : { CURFEW_DATA: freshData('npm'), CURFEW_EMBEDDED_FSYNC: '0' },
    );
    await end(name);
    expect(said().at(-1)).toBe('stopped');
  },
);
