import { z } from '@hono/zod-openapi';
import * as field from '../../actions/fields.ts';
import { html } from 'hono/html';
import { returnAddress } from '../../domain/return-address.ts';
import { readForm } from '../contract/body.ts';
import { cookieCaller } from '../admit-call.ts';
import { form } from '../contract/row.ts';
import { COOKIE } from '../contracts/004-cookie/detail.ts';
import { logInGivingCookie } from '../session-cookie.ts';
import type { Call } from '../environment.ts';
import { faultOf } from '../respond.ts';
import type { Built, PageTexts } from './built.ts';
import { addressIn, compact, type Markup, type PageCall, pageCall, sendPage } from './shell.ts';
import { whyOver } from './why-over.ts';

/* The login page. The form works without the script, which makes it faster. */

/** Where a login leads that comes from nowhere. */
export const afterLogin = (c: Call): string => addressIn(c, '/devices');

const FORM = form(
  z.object({
    email: z.string().default(''),
    password: z.string().default(''),
    next: z.string().optional(),
  }),
  {},
);
/** The API's schema. */
const CREDENTIALS = z.object({ email: field.login, password: field.password });

type LoginFault = 'missing' | 'wrong' | 'tooMany' | 'crowded' | 'foreign' | 'failed';
const STATUS = { missing: 400, wrong: 401, tooMany: 429, crowded: 503, foreign: 403, failed: 503 } as const;

export async function showLogin(c: Call, built: Built): Promise<Response> {
  const call = pageCall(c, built);
  const next = nextOf(c, c.req.query('next'));
  if (await isLoggedIn(c)) return c.redirect(next ?? afterLogin(c), 303);
  const reason = c.req.query('reason');
  const given = reason === undefined ? null : sentence(call.texts, reason);
  const over = given === null ? await whyOver(call) : null;
  // Kept in the page's own links: this answer deletes the cookie that showed it.
  const kept = over?.key ?? reason ?? null;
  return send(call, { next, why: given ?? over?.sentence ?? null, reason: kept, email: '', fault: null });
}

export async function takeLogin(c: Call, built: Built): Promise<Response> {
  const call = pageCall(c, built);
  const input = await readForm(c, FORM);
  const { email = '', password = '', next: given } = input.ok ? input.value : {};
  const next = nextOf(c, given);
  const again = (fault: LoginFault, when = 0): Promise<Response> =>
    send(
      call,
      { next, why: null, reason: null, email: shownAgain(email), fault: say(call.texts, fault, when) },
      STATUS[fault],
    );
  if (email === '' || password === '') return again('missing');
  // Input that the API would reject as malformed is nobody's address or password.
  const credentials = CREDENTIALS.safeParse({ email, password });
  if (!credentials.success) return again('wrong');
  try {
    const login = { ...credentials.data, ...COOKIE, clientId: 'default', device: {} };
    const outcome = await logInGivingCookie(c, login);
    switch (outcome.outcome) {
      case 'foreign_page':
        return await again('foreign');
      case 'invalid_credentials':
        return await again('wrong');
      case 'unauthorized_client':
        // The application of the pages cannot be closed.
        return await again('failed');
      case 'rate_limited':
        c.header('retry-after', String(outcome.retryAfterSeconds));
        return await again('tooMany', outcome.retryAfterSeconds);
      case 'started':
        return c.redirect(next ?? afterLogin(c), 303);
    }
  } catch (error) {
    const fault = faultOf(c, error);
    c.header('retry-after', '1');
    return again(fault === 'overloaded' ? 'crowded' : 'failed');
  }
}

/** Where to go after the login, if that is a page of this origin. */
export function nextOf(c: Call, given: string | undefined): string | null {
  const { issuer, publicPath } = c.get('world').config;
  return returnAddress(given, issuer, publicPath);
}

/** By the cookie only: browsers request pages without Authorization. If the database does not answer, the form stays. */
async function isLoggedIn(c: Call): Promise<boolean> {
  try {
    return (await cookieCaller(c)) !== null;
  } catch (error) {
    faultOf(c, error);
    return false;
  }
}

/** The typed address, as far as it can be one: HTML has no NUL, and addresses have a maximum length. */
const shownAgain = (email: string): string => email.replaceAll('\0', '').slice(0, 254);

/** Only known reasons, in Curfew's words: anybody can write an address. */
function sentence(texts: PageTexts, reason: string): string | null {
  return Object.hasOwn(texts.ended, reason) && reason !== 'idle_after' ? (texts.ended[reason] ?? null) : null;
}

function say(texts: PageTexts, fault: LoginFault, seconds: number): string {
  const minutes = Math.max(1, Math.ceil(seconds / 60));
  const when = new Intl.RelativeTimeFormat(texts.tag).format(minutes, 'minute');
  return texts.login[fault].replace('{when}', when);
}

interface LoginView {
  next: string | null;
  why: string | null;
  reason: string | null;
  email: string;
  fault: string | null;
}

async function send(
  call: PageCall,
  view: LoginView,
  status?: 400 | 401 | 403 | 429 | 503,
): Promise<Response> {
  const { login } = call.texts;
  const page = {
    script: 'login',
    title: login.title,
    content: await compact(markup(call, view)),
    state: { next: view.next, why: view.why, fault: view.fault, email: view.email },
    keep: { next: view.next, reason: view.reason },
  };
  return sendPage(call, page, status ?? 200);
}

/** The form, element for element as `web/src/login/login-form.tsx` renders it; a test compares them. */
function markup({ c, texts: { login } }: PageCall, { next, why, email, fault }: LoginView): Markup {
  const described = fault === null ? '' : html` aria-describedby="fault"`;
  return html`<section class="card">
    <h1>${login.title}</h1>
    ${why === null ? '' : html`<p class="notice">${why}</p>`}
    <form class="stack" method="post" action="${addressIn(c, '/login')}">
      ${fault === null ? '' : html`<p class="notice bad" id="fault" role="alert">${fault}</p>`}
      ${next === null ? '' : html`<input type="hidden" name="next" value="${next}">`}
      <label class="field">
        <span>${login.email}</span>
        <input name="email" type="text" inputmode="email" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="254" required${described} value="${email}"${email === '' ? html` autofocus` : ''}>
      </label>
      <label class="field">
        <span>${login.password}</span>
        <input name="password" type="password" autocomplete="current-password" maxlength="1024" required${described}${email === '' ? '' : html` autofocus`}>
      </label>
      <button class="main" type="submit">${login.submit}</button>
    </form>
  </section>`;
}
