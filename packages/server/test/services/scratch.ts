/**
 * Scratch directories for test servers, with a cleanup after a test run that was killed.
 *
 * Every directory names the test process that owns it (`owner`) and the server in it (`server`). The next run stops the servers
 * of owners that are gone.
 */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The user that servers run as when the tests run as root: PostgreSQL refuses to be root. "nobody" on Linux. */
export const unprivileged: { uid: number; gid: number } | undefined =
  process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : undefined;

/** The one place under the temporary directory that all runs of this user share. */
export function scratchRoot(within: string = tmpdir()): string {
  const root = join(within, `curfew-test-${process.getuid?.() ?? 'user'}`);
  mkdirSync(root, { recursive: true, mode: 0o711 });
  return root;
}

const MEMORY = '/dev/shm';
const MEMORY_NEEDED = 2 ** 30;

/** A scratch directory in memory, if there is enough of it; for tests without the disk as a subject. */
export function scratchRootInMemory(): string {
  if (!existsSync(MEMORY)) return scratchRoot();
  const { bavail, bsize } = statfsSync(MEMORY);
  return bavail * bsize < MEMORY_NEEDED ? scratchRoot() : scratchRoot(MEMORY);
}

/**
 * For the environment of a child process: half of its start is compilation, which once for all is enough. Node compares its cache
 * with the sources.
 */
export function compileCache(): { NODE_COMPILE_CACHE: string } {
  return { NODE_COMPILE_CACHE: join(scratchRoot(), 'compiled') };
}

/**
 * Options of Node for the processes that a test starts. They run the sources. V8 compiles the embedded database's WebAssembly quickly, and not
 * a second time for speed: that takes two seconds of processor time, and pays only in a process that lives longer.
 */
export const NODE_FLAGS = ['--conditions=curfew-source', '--liftoff-only'];

/** Makes an empty directory owned by this process. */
export function makeScratch(kind: string, root: string = scratchRoot()): string {
  const dir = mkdtempSync(join(root, `${kind}-`));
  writeFileSync(join(dir, 'owner'), String(process.pid));
  return dir;
}

/** The directories that {@link makeFileScratch} has made for the current test file. */
const ofTheFile = new Set<string>();

/** A directory in memory, where there is room, that is removed when the test file is over. */
export function makeFileScratch(kind: string): string {
  const directory = makeScratch(kind, scratchRootInMemory());
  ofTheFile.add(directory);
  return directory;
}

export function removeFileScratch(): void {
  for (const directory of ofTheFile) rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  ofTheFile.clear();
}

/** Remembers which process serves from this directory. Its command line must mention the directory. */
export function noteServer(dir: string, pid: number): void {
  writeFileSync(join(dir, 'server'), String(pid));
}

/** Stops servers and removes directories whose owner has died. */
export function sweepScratch(): void {
  for (const root of new Set([scratchRoot(), scratchRootInMemory()])) sweep(root);
}

function sweep(root: string): void {
  for (const name of readdirSync(root)) {
    const dir = join(root, name);
    const owner = readPid(join(dir, 'owner'));
    if (owner === undefined || isAlive(owner)) continue;
    const server = readPid(join(dir, 'server'));
    // A process id may belong to another process by now, so the process must also look like a test server.
    if (server !== undefined && commandLine(server).includes(dir)) {
      for (const pid of [...childrenOf(server), server]) signal(pid, 'SIGKILL');
    }
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** True while the process runs. One that has ended and that its parent, if that is not us, has not collected yet counts as gone. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const stat = readText(`/proc/${pid}/stat`);
  if (stat === undefined) return true;
  const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // An ended child exists until Node has reaped it, and PostgreSQL takes it for a running server.
  return state !== 'Z' || Number(parent) === process.pid;
}

/** Direct children of a process. */
export function childrenOf(pid: number): number[] {
  const fromProc = readText(`/proc/${pid}/task/${pid}/children`);
  if (fromProc !== undefined) return fromProc.split(' ').filter(Boolean).map(Number);
  try {
    const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).split('\n');
    return lines
      .map((line) => line.trim().split(/\s+/).map(Number))
      .filter(([, parent]) => parent === pid)
      .map(([child]) => child as number);
  } catch {
    return [];
  }
}

/** Sends a signal; a process that is gone is no error. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Waits until all processes have ended. */
export async function waitGone(pids: number[], milliseconds = 60_000): Promise<void> {
  const deadline = Date.now() + milliseconds;
  while (pids.some(isAlive)) {
    if (Date.now() > deadline) throw new Error(`still running: ${pids.filter(isAlive).join(', ')}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function commandLine(pid: number): string {
  const fromProc = readText(`/proc/${pid}/cmdline`);
  if (fromProc !== undefined) return fromProc.replaceAll('\0', ' ');
  try {
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
  } catch {
    return '';
  }
}

/** The process id that a file holds. */
export function readPid(path: string): number | undefined {
  const pid = Number(readText(path));
  return Number.isInteger(pid) && pid > 0 ? pid : undefined;
}

function readText(path: string): string | undefined {
  try {
    return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
  } catch {
    return undefined;
  }
}
