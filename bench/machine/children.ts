import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { pinned } from './cores.ts';

/** What a process does in a measurement. */
export type Role = 'server' | 'load' | 'verifiers';

/** Every process that this run started and has not ended yet. Each is ended by its own pid. */
const running = new Map<ChildProcess, Role>();

export interface Child {
  pid: number;
  process: ChildProcess;
  /** The end of its stderr. */
  complaints(): string;
  stop(): Promise<void>;
}

interface ChildOptions {
  core: number;
  /** A server, if it is not said. */
  role?: Role;
  env?: Record<string, string>;
  cwd?: string;
  /** Resolves as soon as the child sends `{ ready: true }` over its channel. */
  waitForReady?: boolean;
}

/** A Node process from a source file of this folder or of the server, on the given core. */
export async function startNode(args: string[], options: ChildOptions): Promise<Child> {
  const [command, commandArgs] = pinned(options.core, process.execPath, args);
  const child = spawn(command, commandArgs, {
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    serialization: 'advanced',
  });
  const stderr = rememberTail(child);
  running.set(child, options.role ?? 'server');
  child.once('exit', () => running.delete(child));
  if (options.waitForReady === true) {
    await new Promise<void>((resolve, reject) => {
      child.on('message', (message: { ready?: boolean }) => {
        if (message.ready === true) resolve();
      });
      child.once('exit', (code) => reject(new Error(`${args.join(' ')} ended (${code}): ${stderr()}`)));
      child.once('error', reject);
    });
  }
  return { pid: child.pid as number, process: child, complaints: stderr, stop: () => stop(child) };
}

/** One message to the child, and one back: the parent asks one thing at a time. */
export function request<Result>(child: Child, message: object): Promise<Result> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      child.process.off('message', onMessage);
      child.process.off('exit', onExit);
    };
    const onMessage = (answer: { result?: Result; error?: string }): void => {
      settle();
      if (answer.error === undefined) resolve(answer.result as Result);
      else reject(new Error(answer.error));
    };
    const onExit = (code: number | null): void => {
      settle();
      reject(new Error(`a process of the benchmark ended (${code}) while it was asked something`));
    };
    child.process.on('message', onMessage);
    child.process.on('exit', onExit);
    child.process.send(message);
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const patience = setTimeout(() => child.kill('SIGKILL'), 3000);
  await ended;
  clearTimeout(patience);
}

export async function stopAllChildren(): Promise<void> {
  await Promise.all([...running.keys()].map(stop));
}

/** The processes that run now, and what each does. */
export function runningChildren(): { pid: number; role: Role }[] {
  return [...running].flatMap(([{ pid }, role]) => (pid === undefined ? [] : [{ pid, role }]));
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

/** The last lines of stderr: enough to show why a server did not start. */
function rememberTail(child: ChildProcess): () => string {
  let tail = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    tail = (tail + text).slice(-2000);
  });
  return () => tail;
}
