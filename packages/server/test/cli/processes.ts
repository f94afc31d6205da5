/** Runs commands, within this process or in one of their own, with no environment but the one given. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../src/cli/command.ts';
import type { Environment } from '../../src/config.ts';
import { freshData } from '../services/embedded-data.ts';
import { findPostgres, startPostgres } from '../services/postgres.ts';
import { compileCache, makeScratch, NODE_FLAGS } from '../services/scratch.ts';
import { type AnyJson, type Caller, callerOf, migrated } from '../support.ts';

const PROGRAM = [...NODE_FLAGS, fileURLToPath(new URL('../../src/main.ts', import.meta.url))];

export interface Outcome {
  code: number | null;
  out: string;
  err: string;
  /** The answer with --json; `watch` writes a line for each event. */
  json: AnyJson;
}

/** Where the processes of a test file run: nothing of the repository is there. */
const cwd = makeScratch('commands');

/** All end with the test file, also when a test fails. */
const children = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/** Starts a command as a process, from the sources, as a user does. */
export function startProcess(args: string[], environment: Environment = {}) {
  const child = spawn(process.execPath, [...PROGRAM, ...args], {
    cwd,
    env: { PATH: process.env['PATH'], ...compileCache(), ...environment },
  });
  children.add(child);
  child.once('exit', () => children.delete(child));
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk) => (out += String(chunk)));
  child.stderr.on('data', (chunk) => (err += String(chunk)));
  // A command that ends before it has read everything is no failure of the test.
  child.stdin.on('error', () => undefined);
  /** Resolve with the exit code: when it has ended, and when its output was read too. */
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  const ended = once(child, 'close').then(([code]) => code as number | null);
  return {
    child,
    out: () => out,
    err: () => err,
    exited,
    ended,
    /** Waits until its output contains this. */
    wrote: async (far: (out: string) => boolean): Promise<void> => {
      const over = ended.then((code) => {
        if (!far(out)) throw new Error(`it ended with ${code}\n${out}${err}`);
      });
      while (!far(out)) await Promise.race([once(child.stdout, 'data'), over]);
    },
  };
}

/** Runs a command to its end within this process, with `input` on its standard input: only the start is skipped. */
export async function run(args: string[], environment: Environment = {}, input = ''): Promise<Outcome> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const written = Promise.all([text(stdout), text(stderr)]);
  const stdin = Readable.from(input === '' ? [] : [Buffer.from(input)]);
  const code = await runCommand(args, environment, { stdin, stdout, stderr }).finally(() => {
    stdout.end();
    stderr.end();
  });
  return outcomeOf(args, code, ...(await written));
}

/** Runs a command as a process. */
export async function runProcess(
  args: string[],
  environment: Environment = {},
  input = '',
): Promise<Outcome> {
  const { child, ended, out, err } = startProcess(args, environment);
  child.stdin.end(input);
  return outcomeOf(args, await ended, out(), err());
}

function outcomeOf(args: string[], code: number | null, out: string, err: string): Outcome {
  const isJson = args.includes('--json') && out !== '' && args[0] !== 'watch';
  return { code, out, err, json: isJson ? JSON.parse(out) : undefined };
}

/** A command that goes on until it is interrupted, and the lines of JSON that it has written. */
export function follow(args: string[], environment: Environment = {}) {
  const { child, out, ended, wrote } = startProcess(args, environment);
  const linesIn = (text: string): AnyJson[] =>
    text
      .slice(0, text.lastIndexOf('\n') + 1)
      .split('\n')
      .flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
  return {
    lines: () => linesIn(out()),
    /** Waits until it has written this many. */
    shown: (count: number) => wrote((text) => linesIn(text).length >= count),
    /** As Ctrl-C does. */
    async interrupt(): Promise<void> {
      child.kill('SIGINT');
      await ended;
    },
  };
}

export interface ServerProcess {
  url: string;
  pid: number;
  call: Caller;
  /** Everything on standard output so far. */
  output: () => string;
  /** Waits until that contains the text. */
  said: (what: string) => Promise<void>;
  /** Standard output. */
  log: Readable;
  signal: (name: NodeJS.Signals) => void;
  /** Resolves with the exit code when the process has ended, even if its output was not read. */
  exited: Promise<number | null>;
  /** Resolves with it when the output was read too. */
  ended: Promise<number | null>;
  /** SIGTERM, and waits for the end. */
  stop: () => Promise<number | null>;
}

/** Starts `curfew serve` on a free port and waits until it listens. */
export async function serve(environment: Environment, args: string[] = []): Promise<ServerProcess> {
  const { child, out, exited, ended, wrote } = startProcess(['serve', ...args], {
    PORT: '0',
    ...environment,
  });
  const listening = /"url":"([^"]+)".*"msg":"listening"/;
  await wrote((text) => listening.test(text));
  const url = listening.exec(out())?.[1] ?? '';
  const signal = (name: NodeJS.Signals): void => void child.kill(name);
  return {
    url,
    pid: child.pid ?? 0,
    call: callerOf((request) => fetch(request), url),
    output: out,
    said: (what) => wrote((text) => text.includes(what)),
    log: child.stdout,
    signal,
    exited,
    ended,
    async stop() {
      signal('SIGTERM');
      return ended;
    },
  };
}

/**
 * A database for servers of a test file, in its own PostgreSQL where there is one: an open transaction in any database of a
 * PostgreSQL holds up readers of the log in all of them.
 */
export async function ownPlace(): Promise<{ place: Environment; close: () => Promise<void> }> {
  if (findPostgres() === undefined)
    return {
      place: { CURFEW_DATA: freshData('own'), CURFEW_EMBEDDED_FSYNC: '0' },
      close: async () => undefined,
    };
  const postgres = await startPostgres();
  await migrated.prepare(postgres.url);
  return { place: { DATABASE_URL: postgres.url }, close: () => postgres.stop() };
}
