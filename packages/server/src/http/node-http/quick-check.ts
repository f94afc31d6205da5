import type { IncomingMessage, ServerResponse } from 'node:http';
import type { World } from '../../world/world.ts';
import type { EndedCredential } from '../../cluster/memory/session-memory.ts';
import { readCredential } from '../../domain/presented.ts';
import type { RequestBindings } from '../environment.ts';
import { SECURITY_HEADERS, STRICT_TRANSPORT } from '../headers.ts';
import type { RequestLog } from '../request-log.ts';
import { identityHeaders } from '../v1/get-check.ts';

/** A refusal's wire format, without the parts that differ for each answer. */
interface PreparedRefusal {
  headers: string[];
  cookies: string[];
  body: string;
}

/**
 * Answers `/v1/check` from memory before the router, for any method: the one route where a router's fifth of the time counts
 * (docs/decisions/0006). Every other request, and every doubt, takes the ordinary way, which gives the same answer.
 * @param ordinary the ordinary way, whose refusals are copied
 * @returns whether it has answered
 */
export function createQuickCheck(
  world: World,
  ordinary: (request: Request, asked: RequestBindings) => Promise<Response>,
  requests: RequestLog,
): (req: IncomingMessage, res: ServerResponse) => boolean {
  const { memory, config, system } = world;
  const address = `${config.basePath}/v1/check`;
  const withSlash = `${address}/`;
  /** Of credentials in the header only; the refusal of a cookie may delete it, or not. */
  let ofHeader: PreparedRefusal | undefined;
  const preparing = new WeakSet<EndedCredential>();
  /** Copies the ordinary refusal of a credential that is over. */
  const prepare = async (
    over: EndedCredential,
    via: 'authorization' | 'cookie',
    value: string,
  ): Promise<void> => {
    if (preparing.has(over)) return;
    preparing.add(over);
    const request = new Request(`http://curfew${address}`, { headers: { [via]: value } });
    const answer = await ordinary(request, { rehearsal: true });
    const body = await answer.text();
    if (answer.status !== 401) return void preparing.delete(over);
    const all = [...answer.headers].filter(([name]) => name !== 'x-request-id' && name !== 'content-length');
    const cookies = all.filter(([name]) => name === 'set-cookie');
    const headers = all.filter(([name]) => name !== 'set-cookie');
    // Not deleted: it was replaced, or the database could not say, and the next answer may differ.
    if (via === 'cookie' && cookies.length === 0) return void preparing.delete(over);
    const refusal: PreparedRefusal = { headers: headers.flat(), cookies: cookies.flat(), body };
    over.refusal = refusal;
    if (via === 'authorization') ofHeader = refusal;
  };
  const refuse = ({ headers, cookies, body }: PreparedRefusal, res: ServerResponse): void => {
    requests.refusedCheck();
    const length = ['content-length', String(Buffer.byteLength(body))];
    res.writeHead(401, [...headers, 'x-request-id', requests.nextId(), ...cookies, ...length]);
    res.end(body);
  };
  const fixed: string[] = [...SECURITY_HEADERS, ...(config.cookie.secure ? [STRICT_TRANSPORT] : [])].flat();
  return (req, res) => {
    // With the slash: a path appended by a proxy is cut off there (target.ts).
    if (req.url !== address && req.url !== withSlash) return false;
    const { authorization, cookie, origin } = req.headers;
    // A page of a trusted origin gets more headers; of two credentials node would show only the first.
    if (origin !== undefined || (authorization !== undefined && saysTwice(req.rawHeaders))) return false;
    const text = quickText(authorization, cookie, config.cookie.name);
    if (text === null) return false;
    const known = memory.recall(text, true);
    if (!known) {
      const over = memory.over(text);
      if (!over || req.method === 'HEAD') return false;
      const refusal =
        (over.refusal as PreparedRefusal | undefined) ?? (authorization === undefined ? undefined : ofHeader);
      if (refusal) {
        refuse(refusal, res);
        return true;
      }
      const way = authorization === undefined ? 'cookie' : 'authorization';
      prepare(over, way, authorization ?? cookie ?? '').catch((err: unknown) => {
        preparing.delete(over);
        system.log.warn({ err }, 'could not prepare the refusal of a check');
      });
      return false;
    }
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
 * The text by which memory knows a credential. Memory holds only texts that were parsed and judged once, so it is not parsed
 * again; but it holds cookies too, and a cookie's value is no bearer token. The cookie header is read in full: two cookies must
 * count as two.
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
