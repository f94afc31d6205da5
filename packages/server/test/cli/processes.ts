/** Runs the command as a user does: a process of its own, from the sources, with no environment but the one given. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';
import type { Environment } from '../../src/config.ts';
import { makeScratch, scratchRoot } from '../services/scratch.ts';
import { type Caller, callerOf } from '../support.ts';

const PROGRAM = ['--conditions=curfew-source', fileURLToPath(new URL('../../src/main.ts', import.meta.url))];
const START_MS = 90_000;

/** Half of what a short command takes is compiling; once for all of them is enough. The run that is over is swept. */
function compiled(): string {
  const dir = join(scratchRoot(), `compiled-${inject('databasePrefix')}`);
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'owner'), String(process.ppid));
  return join(dir, 'cache');
}

export interface Outcome {
  code: number | null;
  out: string;
  err: string;
  /** The answer with --json; `watch` writes a line for each event. */
  // biome-ignore lint: answers have many shapes
  json: any;
}

/** Where the commands of a test file run: nothing of the repository is there. */
const cwd = makeScratch('commands');

function start(args: string[], environment: Environment): ChildProcess {
  return spawn(process.execPath, [...PROGRAM, ...args], {
    cwd,
    env: { PATH: process.env['PATH'], NODE_COMPILE_CACHE: compiled(), ...environment },
    stdio: 'pipe',
  });
}

/** Runs a command to its end, with `input` on its standard input. */
export async function run(args: string[], environment: Environment = {}, input = ''): Promise<Outcome> {
  const child = start(args, environment);
  let out = '';
  let err = '';
  child.stdout?.on('data', (chunk) => (out += String(chunk)));
  child.stderr?.on('data', (chunk) => (err += String(chunk)));
  // A command that ends before it has read everything is no failure of the test.
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  return {
    code,
    out,
    err,
    json: args.includes('--json') && out !== '' && args[0] !== 'watch' ? JSON.parse(out) : undefined,
  };
}

/** A command that goes on until it is interrupted, and the lines of JSON that it has written. */
export function follow(args: string[], environment: Environment = {}) {
  const child = start(args, environment);
  const closed = once(child, 'close');
  let out = '';
  child.stdout?.on('data', (chunk) => (out += String(chunk)));
  return {
    // biome-ignore lint: answers have many shapes
    lines: (): any[] =>
      out
        .slice(0, out.lastIndexOf('\n') + 1)
        .split('\n')
        .flatMap((line) => (line === '' ? [] : [JSON.parse(line)])),
    /** As Ctrl-C does. */
    async interrupt(): Promise<void> {
      child.kill('SIGINT');
      await closed;
    },
  };
}

export interface ServerProcess {
  url: string;
  pid: number;
  call: Caller;
  /** Everything on standard output so far. */
  output: () => string;
  signal: (name: NodeJS.Signals) => void;
  /** Resolves with the exit code when the process has ended. */
  ended: Promise<number | null>;
  /** SIGTERM, and waits for the end. */
  stop: () => Promise<number | null>;
}

/** Starts `curfew serve` on a free port and waits until it listens. */
export async function serve(environment: Environment, args: string[] = []): Promise<ServerProcess> {
  const child = start(['serve', ...args], { PORT: '0', ...environment });
  let out = '';
  let err = '';
  child.stderr?.on('data', (chunk) => (err += String(chunk)));
  const ended = once(child, 'close').then(([code]) => code as number | null);
  const url = await new Promise<string>((resolve, reject) => {
    const fail = (why: string): void => reject(new Error(`the server ${why}\n${out}${err}`));
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail('did not start in time');
    }, START_MS);
    child.stdout?.on('data', (chunk) => {
      out += String(chunk);
      const found = /"url":"([^"]+)".*"msg":"listening"/.exec(out)?.[1];
      if (found === undefined) return;
      clearTimeout(timer);
      resolve(found);
    });
    void ended.then((code) => fail(`ended with ${code}`));
  });
  const signal = (name: NodeJS.Signals): void => void child.kill(name);
  return {
    url,
    pid: child.pid ?? 0,
    call: callerOf((request) => fetch(request), url),
    output: () => out,
    signal,
    ended,
    async stop() {
      signal('SIGTERM');
      return ended;
    },
  };
}
