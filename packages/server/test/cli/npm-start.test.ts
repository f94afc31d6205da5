/** `npm start`, as people use it: its first start says what it does, and ending npm ends the server. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freshData } from '../services/embedded-data.ts';
import { isAlive, makeScratch, signal, waitGone } from '../services/scratch.ts';
import { openQuickly } from '../services/open-embedded.ts';

const ROOT = join(import.meta.dirname, '../../../..');

function npmStart(CURFEW_DATA: string): ChildProcess {
  return spawn('npm', ['start'], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], CURFEW_DATA, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
    // No signal but those of the test.
    detached: true,
  });
}

/** What it has written when it listens, and which process that is. */
async function listening(npm: ChildProcess, directory: string): Promise<{ out: string; pid: number }> {
  let out = '';
  for await (const chunk of npm.stdout ?? []) {
    out += String(chunk);
    if (out.includes('"msg":"listening"')) break;
  }
  const { readAnnouncement } = await import('../../src/cli/announcement.ts');
  return { out, pid: readAnnouncement(directory)?.pid ?? 0 };
}

test.concurrent.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGKILL'] as const)(
  '%s to npm alone ends the server too, which leaves the directory free',
  async (name) => {
    const directory = freshData('npm');
    const npm = npmStart(directory);
    const { pid } = await listening(npm, directory);
    expect([pid > 0, pid !== npm.pid, isAlive(pid)]).toEqual([true, true, true]);
    const ended = once(npm, 'exit');
    npm.kill(name);
    await ended;
    try {
      await waitGone([pid], 30_000);
    } finally {
      signal(pid, 'SIGKILL');
    }
    // In order, and not by force.
    expect(existsSync(join(directory, 'server.json'))).toBe(false);
    await (await openQuickly(directory)).close();
  },
  120_000,
);

test('a first start says what it is doing, before it does it', async () => {
  const directory = join(makeScratch('first'), 'data');
  const npm = npmStart(directory);
  const { out } = await listening(npm, directory);
  const said = out
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => (JSON.parse(line) as { msg: string }).msg);
  expect(said[0]).toBe(`making the embedded database in ${directory}: this takes some seconds, once`);
  expect(said[1]).toBe('applying migration 0001-first.sql');
  expect(said.indexOf('listening')).toBeGreaterThan(2);
  npm.kill('SIGTERM');
  await once(npm, 'exit');
}, 120_000);
