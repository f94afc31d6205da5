import type { Carrier, Issued } from './carrier.ts';
import type { CurrentSession } from './interface.ts';
import { problemOf, refusesCredential } from './problem.ts';
import { CSRF, carrying, WITH_COOKIES } from './request.ts';

const CHANGES_NOTHING = /^(GET|HEAD|OPTIONS)$/;

/**
 * The credential as a cookie that no script can read. Requests that change something carry the CSRF token, which is in memory
 * only and no credential by itself.
 * @param ask asks the server for the session, and passes the answer to `take`. `refused`: the credential was refused
 */
export function createCookie(ask: (refused?: boolean) => Promise<CurrentSession | null>): Carrier {
  let csrf: { sid: string; token: string } | undefined;

  async function sendToChange(request: Request): Promise<Response> {
    if (!csrf) await ask();
    const used = csrf;
    const again = request.clone();
    const response = await fetch(carrying(request, CSRF, used?.token), WITH_COOKIES);
    if ((await problemOf(response)).code !== 'csrf_failed') return response;
    // The cookie has changed under this page. A request for one session is not repeated in another.
    csrf = undefined;
    const session = await ask();
    // Read again: `ask` has written it.
    const fresh = csrf as typeof used;
    return fresh && (!used || used.sid === session?.id)
      ? fetch(carrying(again, CSRF, fresh.token), WITH_COOKIES)
      : response;
  }

  return {
    known: () => undefined,
    async send(request, to) {
      const response =
        to === 'authority' && !CHANGES_NOTHING.test(request.method)
          ? await sendToChange(request)
          : await fetch(request, WITH_COOKIES);
      if (to !== 'asking' && (await refusesCredential(response))) await ask(true);
      return response;
    },
    take(issued: Issued) {
      if (issued.csrf_token) csrf = { sid: issued.session.id, token: issued.csrf_token };
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
