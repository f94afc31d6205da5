import { type Carrier, type Issued, sessionOf } from './carrier.ts';
import type { Session } from './interface.ts';
import { problemOf, refusesCredential } from './problem.ts';

const CHANGES_NOTHING = /^(GET|HEAD|OPTIONS)$/;

/**
 * The credential as a cookie that no script can read. What changes something carries the CSRF token beside it, which
 * opens nothing by itself and lies in memory alone.
 * @param ask asks the server how the session stands, and has `take` called with the answer
 * @param onRefused calls when the credential was refused
 */
export function createCookie(ask: () => Promise<Session | null>, onRefused: () => Promise<unknown>): Carrier {
  let csrf: { sid: string; token: string } | undefined;

  async function sendToChange(request: Request): Promise<Response> {
    if (!csrf) await ask();
    const used = csrf;
    const again = request.clone();
    const response = await fetch(guarded(request, used?.token));
    if (response.status !== 403 || (await problemOf(response)).code !== 'csrf_failed') return response;
    // The cookie has changed under this page. A request that was meant for one session is not repeated in another.
    csrf = undefined;
    const session = await ask();
    // Read again: asking has written it.
    const fresh = csrf as typeof used;
    return fresh && (!used || used.sid === session?.id) ? fetch(guarded(again, fresh.token)) : response;
  }

  return {
    known: () => undefined,
    async send(request, to) {
      const including = new Request(request, { credentials: 'include' });
      const response =
        to === 'authority' && !CHANGES_NOTHING.test(request.method)
          ? await sendToChange(including)
          : await fetch(including);
      if (to !== 'asking' && (await refusesCredential(response))) await onRefused();
      return response;
    },
    take(issued: Issued) {
      if (issued.csrf_token) csrf = { sid: sessionOf(issued).id, token: issued.csrf_token };
    },
    giveUp(sid) {
      if (!csrf || (sid !== null && csrf.sid !== sid)) return {};
      const { token } = csrf;
      csrf = undefined;
      return { csrf: token };
    },
    subprotocols: async () => [],
  };
}

function guarded(request: Request, token: string | undefined): Request {
  if (token) request.headers.set('x-csrf-token', token);
  return request;
}
