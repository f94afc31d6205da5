import { isBrowser } from './addresses.ts';

/** Storage that outlives the page: localStorage, under names with a prefix. */
export interface Kept {
  readonly prefix: string;
  /** Web Locks, where other tabs have them too. */
  readonly locks: LockManager | undefined;
  /** Whether other tabs read and write it. */
  readonly isShared: boolean;
  get(name: string): string | null;
  /** Reads a value that was written as JSON. */
  read<T>(name: string): T | null;
  set(name: string, value: string | null): void;
  /** The rest of the names that begin with `start`. */
  names(start: string): string[];
}

/**
 * Without localStorage (full, forbidden, or in a worker) values last as long as the page. On a server nothing is shared: each
 * client is another user.
 */
export function openKept(prefix: string): Kept {
  const memory = new Map<string, string>();
  let disk: Storage | undefined;
  try {
    if (isBrowser()) disk = localStorage;
  } catch {
    // Blocked by the browser's settings, or absent in a worker.
  }
  const get = (name: string): string | null =>
    memory.get(prefix + name) ?? disk?.getItem(prefix + name) ?? null;
  return {
    prefix,
    locks: isBrowser() ? (navigator as Partial<Navigator>).locks : undefined,
    isShared: !!disk,
    get,
    read<T>(name: string): T | null {
      try {
        return JSON.parse(get(name) ?? 'null') as T | null;
      } catch {
        // Another script wrote it, and it is not JSON.
        return null;
      }
    },
    set(name, value) {
      const key = prefix + name;
      memory.delete(key);
      if (value === null) return disk?.removeItem(key);
      try {
        if (disk) return disk.setItem(key, value);
      } catch {
        // Full.
      }
      memory.set(key, value);
    },
    names: (start) =>
      [...memory.keys(), ...Object.keys(disk ?? {})]
        .filter((key) => key.startsWith(prefix + start))
        .map((key) => key.slice((prefix + start).length)),
  };
}
