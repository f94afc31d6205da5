/** Ports for the servers that tests start. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { isAlive, readPid, scratchRoot } from './scratch.ts';

/** Where Linux (32768) and the others (49152) begin with the ports of connections. */
const USUAL_END = 32_000;
const HOW_MANY = 12_000;
const UNPRIVILEGED = 1024;

/**
 * A port that is free, and that no other test process is given while this one runs: a server can be killed on it and started again.
 * It lies below the ports that the system gives to connections, which any process can have while the server is down.
 */
export async function freePort(): Promise<number> {
  const end = endOfPorts();
  const first = Math.max(UNPRIVILEGED, end - HOW_MANY);
  for (;;) {
    const port = first + Math.floor(Math.random() * (end - first));
    if (claim(port) && (await isFree(port))) return port;
  }
}

/**
 * Starts a server on a free port, or on a given one. Processes that know nothing of {@link freePort} can take it first: then the server gets
 * another one.
 */
export async function startOnFreePort<Server>(
  start: (port: number) => Promise<Server>,
  given?: number,
): Promise<Server> {
  if (given !== undefined) return start(given);
  for (;;) {
    try {
      return await start(await freePort());
    } catch (error) {
      if (!/EADDRINUSE|address already in use/i.test(String(error))) throw error;
    }
  }
}

/** Forgets the ports of processes that have ended. */
export function sweepPorts(): void {
  for (const port of readdirSync(claims())) {
    const file = join(claims(), port);
    const owner = readPid(file);
    if (owner !== undefined && !isAlive(owner)) rmSync(file, { force: true });
  }
}

function claims(): string {
  const directory = join(scratchRoot(), 'ports');
  mkdirSync(directory, { recursive: true });
  return directory;
}

/** True for one of all processes that ask. */
function claim(port: number): boolean {
  try {
    writeFileSync(join(claims(), String(port)), String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

function endOfPorts(): number {
  let firstOfConnections = Number.POSITIVE_INFINITY;
  try {
    firstOfConnections = Number.parseInt(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8'), 10);
  } catch {
    // Not a Linux.
  }
  // Where connections have nearly all ports, those below are too few.
  return firstOfConnections > 4096 ? Math.min(firstOfConnections, USUAL_END) : USUAL_END;
}
