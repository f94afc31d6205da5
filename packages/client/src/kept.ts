import { isBrowser } from './authority.ts';

/** What outlives the page: localStorage, under names of one's own. */
export interface Kept {
  readonly prefix: string;
  /** Web Locks, where other tabs have them too. */
  readonly locks: LockManager | undefined;
  /** Whether other tabs read and write there as well. */
  readonly isShared: boolean;
  get(name: string): string | null;
  /** A value that was written as JSON. */
  read<T>(name: string): T | null;
  set(name: string, value: string | null): void;
  /** Of those that begin with `start`, what comes after. */
  names(start: string): string[];
}

/**
 * Where there is no localStorage, or it is full or forbidden, things are kept as long as the page lives. On a server nothing
 * is shared: each client is of another user.
 */
export function openKept(prefix: string): Kept {
  const memory = new Map<string, string>();
  let disk: Storage | undefined;
  try {
    if (isBrowser()) disk = localStorage;
  } catch {
    // Blocked by the browser's settings, or a worker, which has none.
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
        // Somebody else has written there; nothing can be made of it.
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
