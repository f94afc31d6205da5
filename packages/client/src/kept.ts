/** What outlives the page: localStorage, under names of one's own. */
export interface Kept {
  readonly prefix: string;
  get(name: string): string | null;
  /** A value that was written as JSON. */
  read<T>(name: string): T | null;
  set(name: string, value: string | null): void;
  /** Of those that begin with `start`, what comes after. */
  names(start: string): string[];
}

/** Where there is no localStorage, or it is full or forbidden, things are kept as long as the page lives. */
export function openKept(prefix: string): Kept {
  const memory = new Map<string, string>();
  const disk = localStorageOrNone();
  const get = (name: string): string | null => memory.get(name) ?? disk?.getItem(prefix + name) ?? null;
  return {
    prefix,
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
      memory.delete(name);
      try {
        if (value === null) disk?.removeItem(prefix + name);
        else if (disk) disk.setItem(prefix + name, value);
        else memory.set(name, value);
      } catch {
        // Full: only the removal of a value can be relied on.
        if (value !== null) memory.set(name, value);
      }
    },
    names: (start) =>
      [
        ...memory.keys(),
        ...Object.keys(disk ?? {}).map((key) => (key.startsWith(prefix) ? key.slice(prefix.length) : '')),
      ]
        .filter((name) => name.startsWith(start))
        .map((name) => name.slice(start.length)),
  };
}

function localStorageOrNone(): Storage | null {
  try {
    return typeof document === 'undefined' ? null : localStorage;
  } catch {
    // Blocked by the browser's settings.
    return null;
  }
}
