/**
 * Whether this is a page, or a worker of one. It tests what only browsers have: a server may define `navigator.locks`,
 * `BroadcastChannel` and `localStorage` too, and one server process serves many users.
 */
export const isBrowser = (): boolean =>
  typeof document !== 'undefined' || typeof importScripts === 'function';

declare const importScripts: unknown;

/**
 * Parses an address of the authority or of an application, without a slash at the end. In a page a path is enough.
 * @throws TypeError that names the option
 */
export function addressOf(option: string, given: string): string {
  try {
    const { href, origin, pathname } = new URL(given, isBrowser() ? location.origin : undefined);
    if (/^(https?:\/)?\//i.test(given) && href === origin + pathname) return href.replace(/\/+$/, '');
  } catch {
    // The error below names the option.
  }
  throw new TypeError(`${option}: must be an http(s) address`);
}

/** Whether a URL is this address or below it. `https://h/authors` is not below `https://h/auth`. */
export const isBelow = (url: string, address: string): boolean =>
  `${url.replace(/[?#].*/, '')}/`.startsWith(`${address}/`);

/** True only where it is certain. */
export const isOffline = (): boolean => (globalThis.navigator as Navigator | undefined)?.onLine === false;
