import type { IncomingMessage } from 'node:http';

/** What a request is sent to (RFC 9112, section 3.2), in the one form that everything after this reads. */
interface Target {
  /** Path and query. */
  url: string;
  /** The host that the client says it speaks to. Nothing follows from it: our own name is in the settings. */
  host: string | undefined;
}

/** RFC 3986, section 3.2: a name or an address, also none, and a port, also an empty one. No user. */
const HOST = /^(?:\[[\da-f:.]+\]|[\w.~!$&'()*+,;=%-]*)(?::\d*)?$/i;
const ABSOLUTE = /^https?:\/\/([^/?#]+)(.*)$/i;
const APPENDED = '/v1/check/';

/**
 * Reads the target of a request.
 * @returns null for one that must be answered with 400: two Host headers, or one that is no host
 */
export function readTarget(request: IncomingMessage): Target | null {
  const { rawHeaders } = request;
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++;
  }
  let url = request.url ?? '/';
  let { host } = request.headers;
  if (hosts > 1 || (host !== undefined && !HOST.test(host))) return null;
  // A proxy's form. The Host header then counts for nothing.
  const absolute = ABSOLUTE.exec(url);
  if (absolute) {
    const [, authority = '', rest = ''] = absolute;
    if (!HOST.test(authority)) return null;
    host = authority;
    url = rest.startsWith('/') ? rest : `/${rest}`;
  }
  // "Are you there?", of the server and not of any address (RFC 9110, section 9.3.7).
  if (url === '*') url = '/';
  // A proxy may append the path it asks about (Envoy does). That path is another program's: it is not to be resolved,
  // or `/v1/check/../../healthz` would ask for an address that answers everybody with 200.
  if (url.startsWith(APPENDED)) url = APPENDED;
  return { url, host };
}
