/** A real PgBouncer for tests, from the PATH: in transaction mode, with its defaults otherwise. */
import { chownSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { startOnFreePort } from './ports.ts';
import { makeScratch, noteServer, signal, unprivileged, waitGone } from './scratch.ts';
import { launch } from './server-process.ts';

export interface PgbouncerServer {
  readonly port: number;
  /** The same database through PgBouncer. */
  through(url: string): string;
  /** Stops the server and removes its files. */
  stop(): Promise<void>;
}

/** The server program, or nothing when this machine has none. Debian has it outside the PATH of ordinary users. */
export function findPgbouncer(): string | undefined {
  return [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin']
    .map((folder) => join(folder, 'pgbouncer'))
    .find((path) => existsSync(path));
}

/** Starts a PgBouncer before the PostgreSQL of the URL. */
export async function startPgbouncer(
  postgresUrl: string,
  settings: Record<string, string> = {},
): Promise<PgbouncerServer> {
  const command = findPgbouncer();
  if (command === undefined) throw new Error('no pgbouncer on the PATH');
  const scratch = makeScratch('pgbouncer');
  const target = new URL(postgresUrl);
  const all = {
    listen_addr: '127.0.0.1',
    unix_socket_dir: '',
    auth_type: 'any',
    pool_mode: 'transaction',
    // Where PostgreSQL ends a session during its login (an idle limit of 200 ms, a busy machine), others wait for 15 s else.
    server_login_retry: '0.1',
    ...settings,
  };
  const user = target.username === '' ? '' : ` user=${target.username}`;
  const password = target.password === '' ? '' : ` password=${target.password}`;
  const file = join(scratch, 'pgbouncer.ini');
  const launchOn = async (port: number): Promise<{ port: number; pid: number }> => {
    writeFileSync(
      file,
      [
        '[databases]',
        `* = host=${decodeURIComponent(target.hostname)} port=${target.port || '5432'}${user}${password}`,
        '[pgbouncer]',
        ...Object.entries({ ...all, listen_port: port }).map(([name, value]) => `${name} = ${value}`),
        '',
      ].join('\n'),
    );
    if (unprivileged !== undefined)
      for (const path of [scratch, file]) chownSync(path, unprivileged.uid, unprivileged.gid);
    const { pid } = await launch({ command, args: [file], ready: 'process up', user: unprivileged });
    return { port, pid };
  };
  const { port, pid } = await startOnFreePort(launchOn);
  noteServer(scratch, pid);
  return {
    port,
    through(url) {
      const there = new URL(url);
      there.host = `127.0.0.1:${port}`;
      return there.href;
    },
    async stop() {
      signal(pid, 'SIGKILL');
      await waitGone([pid]);
      rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
