import { z } from '@hono/zod-openapi';
import { html } from 'hono/html';
import { passesCsrf, refuseSession, type SessionCaller } from '../../actions/admit.ts';
import { logOut } from '../../actions/log-out.ts';
import { csrfToken } from '../../domain/credentials.ts';
import { readForm } from '../contract/body.ts';
import { cookieCaller } from '../admit-call.ts';
import { requestFactsOf, contextOf } from '../callers.ts';
import { form } from '../contract/row.ts';
import { clearFromBrowser } from '../session-cookie.ts';
import type { Call } from '../environment.ts';
import { faultOf } from '../respond.ts';
import type { Built } from './built.ts';
import { nextOf } from './login.ts';
import { addressIn, compact, type PageCall, pageCall, sendPage } from './shell.ts';

/* A page with a form, without a script: merely visiting an address logs nobody out. */

const FORM = form(z.object({ csrf: z.string().default(''), next: z.string().optional() }), {});

export async function showLogout(c: Call, built: Built): Promise<Response> {
  const call = pageCall(c, built);
  const next = nextOf(c, c.req.query('next'));
  try {
    const caller = await cookieCaller(c);
    return await (caller ? ask(call, caller, next) : nothingToDo(call));
  } catch (error) {
    faultOf(c, error);
    return notNow(call, next);
  }
}

export async function takeLogout(c: Call, built: Built): Promise<Response> {
  const call = pageCall(c, built);
  let next: string | null = null;
  try {
    const input = await readForm(c, FORM);
    next = nextOf(c, input.ok ? input.value.next : undefined);
    const caller = await cookieCaller(c);
    if (!caller) return await nothingToDo(call);
    // Sent from another site: the page asks instead.
    const world = c.get('world');
    const context = contextOf(c, 'cookie');
    if (!passesCsrf(world, requestFactsOf(c), caller, input.ok ? input.value.csrf : '')) {
      refuseSession(world, caller.session, context, 'csrf_refused', 'csrf_failed');
      return await ask(call, caller, next, 403);
    }
    await logOut(world, caller.session, { scope: 'this' }, context);
  } catch (error) {
    faultOf(c, error);
    return notNow(call, next);
  }
  clearFromBrowser(c);
  const query = new URLSearchParams({ reason: 'you', ...(next === null ? {} : { next }) });
  return c.redirect(addressIn(c, `/login?${query.toString()}`), 303);
}

async function ask(
  call: PageCall,
  caller: SessionCaller,
  next: string | null,
  status?: 403,
): Promise<Response> {
  const { logout, page } = call.texts;
  const content = await compact(html`<section class="card">
    <h1>${logout.title}</h1>
    <p>${logout.question}</p>
    <form class="stack" method="post" action="${addressIn(call.c, '/logout')}">
      <input type="hidden" name="csrf" value="${csrfToken(caller.credential.text)}">
      ${next === null ? '' : html`<input type="hidden" name="next" value="${next}">`}
      <button class="main" type="submit">${logout.submit}</button>
      <a class="button" href="${addressIn(call.c, '/devices')}">${logout.stay}</a>
    </form>
  </section>`);
  return sendPage(call, { script: null, title: page.logOut, content, keep: { next } }, status ?? 200);
}

async function nothingToDo(call: PageCall): Promise<Response> {
  const { logout, login } = call.texts;
  const content = html`<section class="card"><h1>${logout.title}</h1><p>${logout.out}</p><a class="button main" href="${addressIn(call.c, '/login')}">${login.title}</a></section>`;
  return sendPage(call, { script: null, title: logout.title, content });
}

async function notNow(call: PageCall, next: string | null): Promise<Response> {
  const { logout } = call.texts;
  call.c.header('retry-after', '1');
  const query = next === null ? '' : `?${new URLSearchParams({ next }).toString()}`;
  const content = html`<section class="card"><h1>${logout.title}</h1><p class="notice bad" role="alert">${logout.notYet}</p><a class="button main" href="${addressIn(call.c, '/logout')}${query}">${logout.submit}</a></section>`;
  return sendPage(call, { script: null, title: logout.title, content, keep: { next } }, 503);
}
