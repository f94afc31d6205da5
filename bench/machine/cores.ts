import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

/** The server under test has one core to itself, the load another; databases may use both. */
export const SERVER_CORE = 0;
export const LOAD_CORE = 1;

export const canPin: boolean =
  availableParallelism() >= 2 && spawnSync('taskset', ['-c', String(SERVER_CORE), 'true']).status === 0;

/** Without taskset (a Mac, a container with one core) everything runs where it likes, and the report says so. */
export function pinned(core: number, command: string, args: string[]): [string, string[]] {
  return canPin ? ['taskset', ['-c', String(core), command, ...args]] : [command, args];
}
