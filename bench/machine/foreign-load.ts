import { readFileSync, readdirSync } from 'node:fs';

/** Clock ticks of /proc are hundredths of a second on every Linux that Node runs on. */
export const TICKS_PER_SECOND = 100;

interface Reading {
  at: number;
  busy: number;
  stolen: number;
  ours: number;
}

interface ForeignLoad {
  /** The share of one core that processes outside this run used, and that the hypervisor took. */
  foreign: number;
  stolen: number;
}

/**
 * How much of the machine others used during a round. `roots` are the processes whose whole trees belong to this run: the benchmark itself,
 * and PostgreSQL and Redis, which may not be its children.
 */
export function watchForeignLoad(roots: number[]): () => ForeignLoad | undefined {
  const before = read(roots);
  return () => {
    const after = read(roots);
    if (before === undefined || after === undefined) return undefined;
    const seconds = (after.at - before.at) / 1000;
    const share = (ticks: number): number => Math.max(0, ticks / TICKS_PER_SECOND / seconds);
    return {
      foreign: share(after.busy - before.busy - (after.ours - before.ours)),
      stolen: share(after.stolen - before.stolen),
    };
  };
}

function read(roots: number[]): Reading | undefined {
  try {
    const line = readFileSync('/proc/stat', 'latin1').split('\n', 1)[0] ?? '';
    const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, stolen = 0] = line
      .split(/\s+/)
      .slice(1)
      .map(Number);
    const busy = user + nice + system + irq + softirq;
    return { at: performance.now(), busy, stolen, ours: ticksOfTrees(new Set(roots), readProcesses()) };
  } catch {
    return undefined; // not Linux: nothing is known, and nothing is claimed
  }
}

interface ProcessTicks {
  parent: number;
  ticks: number;
}

/** Every process of the machine by its pid; none where /proc does not exist. */
export function readProcesses(): Map<number, ProcessTicks> {
  const processes = new Map<number, ProcessTicks>();
  let names: string[] = [];
  try {
    names = readdirSync('/proc');
  } catch {
    return processes;
  }
  for (const name of names) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    try {
      // The command name is in brackets and may have spaces. The needed fields come after it.
      const text = readFileSync(`/proc/${name}/stat`, 'latin1');
      const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
      // state ppid … utime stime cutime cstime at 11 to 14; children that ended count with their parent.
      const ticks = [11, 12, 13, 14].reduce((sum, i) => sum + Number(fields[i]), 0);
      processes.set(pid, { parent: Number(fields[1]), ticks });
    } catch {
      // ended in between
    }
  }
  return processes;
}

/** The ticks of processes and of all below them. */
export function ticksOfTrees(roots: Set<number>, processes: Map<number, ProcessTicks>): number {
  const isOurs = (pid: number): boolean => {
    for (let at = pid; at > 1; at = processes.get(at)?.parent ?? 0) if (roots.has(at)) return true;
    return false;
  };
  let sum = 0;
  for (const [pid, { ticks }] of processes) if (isOurs(pid)) sum += ticks;
  return sum;
}

/** Resident memory of one process in MB, if this system tells. */
export function residentMegabytes(pid: number): number | undefined {
  try {
    const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    return kilobytes === undefined ? undefined : Math.round(Number(kilobytes) / 1024);
  } catch {
    return undefined;
  }
}

/** The processor time that a process has used until now, without its ended children. 0 where the system does not report it. */
export function cpuSeconds(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  } catch {
    return 0; // not Linux, or gone
  }
}
