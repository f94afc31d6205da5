import { html } from 'hono/html';
import { authenticate } from '../../actions/authenticate.ts';
import type { World } from '../../world/world.ts';
import { queryTextFault } from '../contract/body.ts';
import { presented } from '../callers.ts';
import type { Call } from '../environment.ts';
import { faultOf } from '../respond.ts';
import type { Router } from '../contract/serve-families.ts';
import { onV1Fault } from '../v1/faults.ts';
import { type Built, readBuilt } from './built.ts';
import { sendFile } from './files.ts';
import { afterLogin, showLogin, takeLogin } from './login.ts';
import { showLogout, takeLogout } from './logout.ts';
import { addressIn, pageCall, sendPage } from './shell.ts';

/* The pages: log in, my devices, log out. They are not part of the contract, and do nothing beyond it. */

/** The parameters that the pages read. A link to them may carry more. */
const PARAMETERS = ['lang', 'next', 'reason'];

export function servePages(router: Router, world: World): void {
  if (!world.config.pages) return;
  // Read at the first page: most processes of a fleet never serve one.
  let built: Built | null | undefined;
  const withBuilt =
    (answer: (c: Call, built: Built) => Promise<Response> | Response) =>
    async (c: Call): Promise<Response> => {
      try {
        const fault = queryTextFault(c, PARAMETERS);
        if (fault) return onV1Fault(c, fault);
        built ??= readBuilt();
        return built ? await answer(c, built) : notBuilt(c);
      } catch (error) {
        return onV1Fault(c, faultOf(c, error));
      }
    };
  router.get('/', (c) => c.redirect(afterLogin(c), 303));
  router.get('/login', withBuilt(showLogin));
  router.post('/login', withBuilt(takeLogin));
  router.get('/logout', withBuilt(showLogout));
  router.post('/logout', withBuilt(takeLogout));
  router.get(
    '/devices',
    withBuilt((c, files) => showPage(c, files, 'devices')),
  );
  // The script decides which page it shows. The API refuses users who are no administrators.
  for (const path of ['/admin', '/admin/*'])
    router.get(
      path,
      withBuilt((c, files) => showPage(c, files, 'administration')),
    );
  router.get('/pages/:file', withBuilt(sendFile));
}

/**
 * A page that its script renders, for logged-in users. It holds none of the user's data: the script asks the API. Others are sent
 * to the login, which says why their session ended.
 */
async function showPage(c: Call, built: Built, script: 'devices' | 'administration'): Promise<Response> {
  const call = pageCall(c, built);
  const from = presented(c);
  let loggedIn = true;
  try {
    // A dead cookie is not deleted here: the login page uses it to say why the session ended, and deletes it then.
    loggedIn =
      from.via === 'cookie' &&
      from.credential !== null &&
      (await authenticate(c.get('world'), from.credential, true)) !== null;
  } catch (error) {
    // The script retries until the database answers, and says so meanwhile.
    faultOf(c, error);
  }
  if (!loggedIn) {
    const here = addressIn(c, c.req.path + new URL(c.req.url).search);
    return c.redirect(addressIn(c, `/login?${new URLSearchParams({ next: here }).toString()}`), 303);
  }
  const { page } = call.texts;
  // Shown when no script has started after a while: none is allowed, or it was lost on the way.
  const content = html`<p class="quiet" aria-live="polite">${page.loading}</p><p class="notice late">${page.needsScript} <a href="${addressIn(c, '/logout')}">${page.logOut}</a></p>`;
  const state = { administration: 'administration' in built.pages };
  return sendPage(call, {
    script,
    title: page[script],
    content,
    state,
    width: script === 'devices' ? 'wide' : 'full',
  });
}

function notBuilt(c: Call): Response {
  return c.text(
    'The pages have not been built. Run "npm run build" in the checkout of Curfew, or set CURFEW_PAGES=0 to run without them.\n',
    503,
  );
}
