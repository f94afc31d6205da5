/**
 * Whether this is a page, or a worker of one. Asked by what only browsers have: a server may well define `navigator.locks`,
 * `BroadcastChannel` and `localStorage`, and one process of it serves many users.
 */
export const isBrowser = (): boolean =>
  typeof document !== 'undefined' || typeof importScripts === 'function';

declare const importScripts: unknown;

/**
 * An address of the authority or of an application, to put paths behind. In a page a path is enough.
 * @throws TypeError that names the option
 */
export function addressOf(option: string, given: string): string {
  try {
    const { href, origin, pathname } = new URL(given, isBrowser() ? location.origin : undefined);
    if (/^(https?:\/)?\//i.test(given) && href === origin + pathname) return href.replace(/\/+$/, '');
  } catch {
    // Said below, with the name of the option.
  }
  throw new TypeError(`${option}: an http(s) address is needed`);
}

/** Whether this is the address itself or below it. `https://h/authors` is not below `https://h/auth`. */
export const isBelow = (url: string, address: string): boolean =>
  `${url.replace(/[?#].*/, '')}/`.startsWith(`${address}/`);

/** Only where that is known for certain. */
export const isOffline = (): boolean => (globalThis.navigator as Navigator | undefined)?.onLine === false;
