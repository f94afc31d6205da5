import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sweepScratch } from '../packages/server/test/services/scratch.ts';
import { Agent } from './agent.ts';
import { Cast } from './cast/cast.ts';
import type { Mark } from './lines.ts';
import type { Options } from './options.ts';
import { watchWaits } from './waits.ts';
import { now, Recorder } from './recorder.ts';

/** Load without faults, before and after them. */
const CALM_MS = 2000;
const HEALING_MS = 3000;
/** How much longer than requested a run may take while the history is too short for a verdict: a busy machine needs more time. */
export const MOST_MORE_MS = 120_000;

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
const CHECKER = fileURLToPath(new URL('./checker.ts', import.meta.url));
const pause = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));

interface Verdict {
  /** The checker found no fault, and the history has enough of everything. */
  passed: boolean;
  /** What the checker printed. */
  report: string;
  /** Where the history is. */
  directory: string;
}

/** Runs the campaign, and lets the checker judge the history. */
export async function runCampaign(options: Options): Promise<Verdict> {
  // Servers of a run that was interrupted before they were ready.
  sweepScratch();
  const directory = mkdtempSync(join(tmpdir(), 'curfew-chaos-'));
  await play(options, directory);
  const { code, output } = await check(directory, options);
  return { passed: code === 0, report: output, directory };
}

async function play(options: Options, directory: string): Promise<void> {
  const { seed, seconds, leaseMs } = options;
  const recorder = new Recorder(join(directory, 'agent.jsonl'), 'agent');
  const mark = (what: Mark): void => recorder.write({ t: 'mark', what, at: now() });
  let cast: Cast | undefined;
  let stopWatching: (() => void) | undefined;
  // An interruption leaves no process behind: on exit, cast/program.ts also ends processes that are still starting.
  const breakOff = (): void => {
    if (cast) void cast.stop().finally(() => process.exit(1));
    else process.exit(1);
  };
  for (const name of SIGNALS) process.once(name, breakOff);
  try {
    cast = await Cast.start({ directory, leaseMs, seed });
    const playing = cast;
    stopWatching = watchWaits(recorder, () => playing.processes());
    mark('load begins');
    cast.begin();
    await pause(CALM_MS);
    const enough = async (): Promise<boolean> => (await check(directory, options, '--so-far')).code === 0;
    await new Agent(cast, recorder).work({ seed, seconds, mostMs: seconds * 1000 + MOST_MORE_MS, enough });
    mark('faults end');
    await pause(HEALING_MS);
    await cast.rest();
    mark('load ends');
    await pause(CALM_MS);
    mark('last look begins');
    await cast.lastLook();
    mark('last look ends');
  } finally {
    for (const name of SIGNALS) process.off(name, breakOff);
    stopWatching?.();
    recorder.close();
    await cast?.stop();
  }
}

/** The checker is a separate program, which shares no code with the programs that it judges. */
function check(
  directory: string,
  { seconds, leaseMs }: Options,
  ...more: '--so-far'[]
): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CHECKER, directory, String(leaseMs), String(seconds), ...more], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'] },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? 1, output }));
  });
}
