/** A real Redis (or Valkey) for tests, from the PATH. */
import { chownSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { startOnFreePort } from './ports.ts';
import { makeScratch, noteServer, signal, unprivileged, waitGone } from './scratch.ts';
import { launch } from './server-process.ts';

interface RedisOptions {
  port?: number;
  /** The data directory. Kept by `stop()` when given; otherwise temporary. */
  dir?: string;
  /** Write every change to disk, so that it survives `kill()`. Default: memory only. */
  save?: boolean;
}

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  readonly dir: string;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Stops answering without closing connections, as in a network failure; `resume()` undoes it. */
  pause(): void;
  resume(): void;
  /** Starts again on the same port and directory. */
  restart(): Promise<void>;
  /** Stops the server and removes its files. */
  stop(): Promise<void>;
}

/** The server program, or nothing when this machine has none. */
export function findRedis(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return ['valkey-server', 'redis-server']
    .flatMap((program) => folders.map((folder) => join(folder, program)))
    .find((path) => existsSync(path));
}

/** Starts a separate Redis. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const command = findRedis();
  if (command === undefined) throw new Error('no valkey-server or redis-server on the PATH');
  const scratch = makeScratch('redis');
  const dir = options.dir ?? join(scratch, 'data');
  mkdirSync(dir, { recursive: true });
  if (unprivileged !== undefined) {
    chownSync(scratch, unprivileged.uid, unprivileged.gid);
    chownSync(dir, unprivileged.uid, unprivileged.gid);
  }
  const persistence =
    options.save === true ? ['--appendonly', 'yes', '--appendfsync', 'always'] : ['--appendonly', 'no'];

  const launchRedis = async (port: number): Promise<number> => {
    const child = await launch({
      command,
      // `set-proc-title no` keeps the directory in the command line, by which a later run recognises a leftover.
      args: `--bind 127.0.0.1 --port ${port} --daemonize no --set-proc-title no`
        .split(' ')
        .concat('--dir', dir, '--save', '', ...persistence),
      ready: 'eady to accept connections',
      user: unprivileged,
    });
    noteServer(scratch, child.pid);
    return child.pid;
  };

  const started = await startOnFreePort(
    async (port) => ({ port, pid: await launchRedis(port) }),
    options.port,
  );
  const { port } = started;
  let pid: number | undefined = started.pid;

  const end = async (how: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    if (pid === undefined) return;
    const ending = pid;
    pid = undefined;
    signal(ending, 'SIGCONT');
    signal(ending, how);
    await waitGone([ending]);
  };

  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    dir,
    kill: () => end('SIGKILL'),
    pause: () => {
      if (pid !== undefined) signal(pid, 'SIGSTOP');
    },
    resume: () => {
      if (pid !== undefined) signal(pid, 'SIGCONT');
    },
    restart: async () => {
      await end('SIGTERM');
      pid = await launchRedis(port);
    },
    stop: async () => {
      await end('SIGKILL');
      rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
