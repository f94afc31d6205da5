import type { IncomingMessage } from 'node:http';

/** The target of a request (RFC 9112 section 3.2), in the one form that all later code reads. */
interface RequestTarget {
  /** Path and query. */
  url: string;
  /** The host that the client names. Nothing depends on it: the authority's own name is in the settings. */
  host: string | undefined;
}

/** RFC 3986 section 3.2: a name or an address, or none, and a port, or an empty one. No user. */
const HOST = /^(?:\[[\da-f:.]+\]|[\w.~!$&'()*+,;=%-]*)(?::\d*)?$/i;
const ABSOLUTE = /^https?:\/\/([^/?#]+)(.*)$/i;
const APPENDED = '/v1/check/';

/** The whole target, where Express or Connect have cut off the path that a handler is mounted at. */
function beforeRouting(request: IncomingMessage & { originalUrl?: unknown }): string | undefined {
  return typeof request.originalUrl === 'string' ? request.originalUrl : undefined;
}

/**
 * Reads the target of a request.
 * @param basePath of the authority; it stays in the target
 * @returns null for one that must be answered with 400: two Host headers, or an invalid one
 */
export function readTarget(request: IncomingMessage, basePath = ''): RequestTarget | null {
  const { rawHeaders } = request;
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++;
  }
  let url = (basePath === '' ? undefined : beforeRouting(request)) ?? request.url ?? '/';
  let { host } = request.headers;
  if (hosts > 1 || (host !== undefined && !HOST.test(host))) return null;
  // The absolute form, which proxies send. The Host header is then ignored.
  const absolute = ABSOLUTE.exec(url);
  if (absolute) {
    const [, authority = '', rest = ''] = absolute;
    if (!HOST.test(authority)) return null;
    host = authority;
    url = rest.startsWith('/') ? rest : `/${rest}`;
  }
  // `OPTIONS *` asks the server and not an address (RFC 9110 section 9.3.7).
  if (url === '*') url = '/';
  // A proxy may append the path that it asks about (Envoy does). That path is another program's and must not be resolved, or
  // `/v1/check/../../healthz` would reach an address that answers everybody with 200.
  if (url.startsWith(basePath + APPENDED)) url = basePath + APPENDED;
  return { url, host };
}
