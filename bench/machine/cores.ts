import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

/** The server under test has one core of its own, and so has the load. Databases may use both. */
export const SERVER_CORE = 0;
export const LOAD_CORE = 1;

export const canPin: boolean =
  availableParallelism() >= 2 && spawnSync('taskset', ['-c', String(SERVER_CORE), 'true']).status === 0;

/** Without taskset (a Mac, a container with one core) every process may use every core, and the report says so. */
export function pinned(core: number, command: string, args: string[]): [string, string[]] {
  return canPin ? ['taskset', ['-c', String(core), command, ...args]] : [command, args];
}
