import { runningChildren, type Role } from './children.ts';
import { cpuSeconds, readProcesses, ticksOfTrees, TICKS_PER_SECOND } from './foreign-load.ts';
import type { Services } from './services.ts';

/** Whose processor time is counted: the processes of each sum up. */
export type Party = Role | 'postgres' | 'redis';

/** Shares of one core, as far as they are known on this system. */
export type Busy = Partial<Record<Party, number>>;

/**
 * Counts each party's processor time during a stretch, so that a figure says what limited it. What this process and `wrk` used
 * counts as load.
 */
export function watchProcessorTime({ databases }: Pick<Services, 'databases'>): () => Busy {
  const startMs = performance.now();
  const before = read(databases);
  return () => {
    const after = read(databases);
    const seconds = (performance.now() - startMs) / 1000;
    const busy: Busy = {};
    for (const [name, used] of after) {
      const party = name.slice(0, name.indexOf(' ')) as Party;
      // A process that started meanwhile is not of the measurement.
      const share = (used - (before.get(name) ?? used)) / seconds;
      busy[party] = (busy[party] ?? 0) + Math.max(0, share);
    }
    return busy;
  };
}

/** Seconds by party and process. */
function read({ postgres, redis }: Services['databases']): Map<string, number> {
  const seconds = new Map<string, number>();
  for (const { pid, role } of runningChildren()) seconds.set(`${role} ${pid}`, cpuSeconds(pid));
  const processes = readProcesses();
  const own = processes.get(process.pid);
  if (own === undefined) return new Map();
  seconds.set(`load ${process.pid}`, own.ticks / TICKS_PER_SECOND);
  for (const [party, pids] of Object.entries({ postgres, redis }))
    if (pids.length > 0)
      seconds.set(`${party} all`, ticksOfTrees(new Set(pids), processes) / TICKS_PER_SECOND);
  return seconds;
}

const NAMES: Record<Party, string> = {
  server: 'server',
  load: 'load',
  verifiers: 'verifiers',
  postgres: 'PostgreSQL',
  redis: 'Redis',
};
/** A share from here on counts as a full core. */
const FULL = 0.9;

/** Every party that did something, the busiest first, and what is full: a process of one thread, or the core that some share. */
export function describeBusy(busy: Busy, pinned: boolean): string {
  const parties = (Object.entries(busy) as [Party, number][])
    .filter(([, share]) => share >= 0.01)
    .sort(([, a], [, b]) => b - a);
  if (parties.length === 0) return '–';
  const text = parties.map(([party, share]) => `${NAMES[party]} ${share.toFixed(2)}`).join(', ');
  const full = bottleneck(busy, pinned);
  return full === undefined ? text : `${text}; full: ${full}`;
}

function bottleneck(busy: Busy, pinned: boolean): string | undefined {
  const { server = 0, load = 0, verifiers = 0, postgres = 0, redis = 0 } = busy;
  const databases = postgres + redis;
  if (server >= FULL) return 'the server';
  if (load >= FULL) return 'the load';
  if (pinned && load + verifiers >= FULL) return "load and verifiers' core";
  if (pinned && server + load + verifiers + databases >= 2 * FULL) return 'both cores';
  return undefined;
}
