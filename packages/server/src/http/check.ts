import type { IncomingMessage, ServerResponse } from 'node:http';
import type { World } from '../actions/world.ts';
import type { LiveSession } from '../domain/session.ts';
import { readCredential } from './credentials.ts';
import { SECURITY_HEADERS, STRICT_TRANSPORT } from './headers.ts';

/** Who it is, for whoever asked: always all of them, so that a proxy overwrites what a client may have sent. */
export function identityHeaders(session: LiveSession): [string, string][] {
  return [
    ['Curfew-Subject', String(session.userId)],
    ['Curfew-Session', session.sid],
    ['Curfew-Client', session.clientId],
    ['Curfew-Role', session.user.role],
  ];
}

/**
 * Answers `/v1/check` before the router, when memory can, whatever the method: the one route where a router's fifth of the time counts
 * (docs/decisions/0006). Everything else, and every doubt, goes the ordinary way, which gives the same answer.
 * @returns whether it has answered
 */
export function createQuickCheck(world: World): (req: IncomingMessage, res: ServerResponse) => boolean {
  const { memory, config } = world;
  const fixed: string[] = [...SECURITY_HEADERS, ...(config.cookie.secure ? [STRICT_TRANSPORT] : [])].flat();
  return (req, res) => {
    // With the slash: whatever a proxy appended is cut off there (target.ts).
    if (req.url !== '/v1/check' && req.url !== '/v1/check/') return false;
    const { authorization, cookie, origin } = req.headers;
    // A page of a trusted origin gets more headers; of two credentials node would show only the first.
    if (origin !== undefined || (authorization !== undefined && saysTwice(req.rawHeaders))) return false;
    const text = quickText(authorization, cookie, config.cookie.name);
    if (text === null) return false;
    const known = memory.recall(text, true);
    if (!known) return false;
    known.answer ??= [...fixed, ...identityHeaders(known.session).flat(), 'Content-Length', '0'];
    res.writeHead(200, known.answer as string[]);
    res.end();
    return true;
  };
}

/** Whether there is more than one Authorization header. */
function saysTwice(rawHeaders: string[]): boolean {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (name.length === 13 && name.toLowerCase() === 'authorization') count++;
  }
  return count > 1;
}

/**
 * The text that memory knows a credential by. Only a text that was parsed and judged once is in memory, so here it need
 * not be parsed again; but memory holds cookies too, and a cookie's value is no bearer token. The cookie header goes
 * through the full reading: two cookies must be seen as two.
 */
function quickText(
  authorization: string | undefined,
  cookie: string | undefined,
  cookieName: string,
): string | null {
  if (authorization !== undefined)
    return authorization.startsWith('Bearer ') && !authorization.startsWith('cs_', 7)
      ? authorization.slice(7)
      : null;
  if (cookie === undefined) return null;
  const from = readCredential(undefined, cookie, cookieName);
  return from.via === 'cookie' && from.credential ? from.credential.text : null;
}
