/** The common part of the page tests: an authority that listens, a browser, and a record of every error in it. */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { hasPostgres } from '../../packages/server/test/services/fresh-database.ts';
import {
  type Caller,
  callerOf,
  openAuthority,
  NEW_PASSWORD,
  PASSWORD,
  passwordOf,
  reopenAuthority,
  type TestAuthority,
} from '../../packages/server/test/support.ts';

export { NEW_PASSWORD, PASSWORD };
export const USER = 'test@example.com';
export const ADMIN = 'admin@example.com';

export interface Site {
  origin: string;
  on: TestAuthority;
  /** Pages of the test in the place of the authority's, by path. */
  instead: Record<string, string>;
  /** Calls the API over the wire, from no browser. */
  call: Caller;
  /** Sets the server's clock forward. */
  pass(seconds: number): void;
  /** Stops the server as a deployment does: nothing listens on its port any more. */
  stop(): Promise<void>;
  /** Starts it again on the same data and port. @param before runs before it listens */
  start(before?: (on: TestAuthority) => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

/** An authority on a port of localhost, or of another name of this machine, with its sockets. */
export async function openSite(settings: Record<string, string> = {}, host = 'localhost'): Promise<Site> {
  let listener: RequestListener = (_req, res) => void res.end();
  const server: Server = createServer((req, res) => {
    const page = site.instead[req.url ?? ''];
    if (page === undefined) return listener(req, res);
    res.setHeader('content-type', 'text/html');
    res.end(page);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const origin = `http://${host}:${port}`;
  let passedMs = 0;
  const system = { now: () => new Date(Date.now() + passedMs) };
  const on = await openAuthority(
    hasPostgres() ? 'postgres' : 'embedded',
    { CURFEW_ISSUER: origin + (settings['CURFEW_BASE_PATH'] ?? ''), PORT: String(port), ...settings },
    { system },
  );
  const serve = (): void => {
    listener = site.on.authority.listener;
  };
  server.on('upgrade', (req, socket, head) => site.on.authority.upgrade(req, socket, head));
  const site: Site = {
    origin,
    on,
    instead: {},
    call: callerOf((request) => fetch(request), `http://localhost:${port}`),
    pass: (seconds) => {
      passedMs += seconds * 1000;
    },
    stop: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      site.on.authority.hangUp();
      // Ending connections may finish; kept-alive ones are closed.
      const idle = setInterval(() => server.closeIdleConnections(), 20);
      const late = setTimeout(() => server.closeAllConnections(), 2000);
      await closed;
      clearInterval(idle);
      clearTimeout(late);
      await site.on.close();
    },
    start: async (before) => {
      site.on = await reopenAuthority(site.on.settings, { system });
      await before?.(site.on);
      serve();
      await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    },
    close: () => (server.listening ? site.stop() : Promise.resolve()),
  };
  serve();
  return site;
}

/** A page in its own browser, as one person at one device has it. */
export interface Visitor {
  context: BrowserContext;
  page: Page;
  /** Every complaint of the console, the page or its policy. An expected refusal by the API is none. */
  complaints: string[];
}

export async function visit(browser: Browser, options: BrowserContextOptions = {}): Promise<Visitor> {
  // Animations are drawn sixty times a second: a fifth of these tests' time.
  const context = await browser.newContext({ locale: 'en-GB', reducedMotion: 'reduce', ...options });
  context.setDefaultTimeout(60_000);
  const complaints: string[] = [];
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  context.on('page', (page) => listen(page, complaints));
  const page = await context.newPage();
  return { context, page, complaints };
}

/**
 * Reuses a browser for another test at half the cost of a new one: no session, no storage, nothing held, no complaints. Its page
 * stays until the next navigation.
 */
export async function anew({ page, context, complaints }: Visitor): Promise<void> {
  // Requests of the last test's page are answered, or not.
  await page.unrouteAll({ behavior: 'ignoreErrors' });
  await context.setOffline(false);
  await context.clearCookies();
  if (page.url().startsWith('http')) await page.evaluate(() => localStorage.clear());
  complaints.length = 0;
}

function listen(page: Page, complaints: string[]): void {
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (!['error', 'warning'].includes(message.type())) return;
    // The browser itself notes every answer of 401 and 403, a socket's 401 in other words; those are part of the API.
    if (/^Failed to load resource: .* status of 40[13] /.test(message.text())) return;
    if (/^WebSocket connection to .* failed: HTTP Authentication failed/.test(message.text())) return;
    complaints.push(`${message.text()} (${message.location().url})`);
  });
}

/** All errors except those that the browser itself logs about a broken connection. */
export const besidesTheLine = (complaints: readonly string[]): string[] =>
  complaints.filter((one) => !/net::ERR_INTERNET_DISCONNECTED/.test(one));

/** Logs in without the form, and opens the page. */
export async function logIn(
  page: Page,
  origin: string,
  email: string = USER,
  path = '/devices',
): Promise<void> {
  const data = { email, password: passwordOf(email), transport: 'cookie' };
  const answer = await page.context().request.post(`${origin}/v1/login`, { data });
  if (!answer.ok()) throw new Error(`no login: ${answer.status()} ${await answer.text()}`);
  await page.goto(origin + path);
}

/** Goes to another page of the administration as its links do: nothing is loaded anew. */
export async function goOn(page: Page, path: string): Promise<void> {
  await page.evaluate((to) => {
    history.pushState(null, '', to);
    dispatchEvent(new PopStateEvent('popstate'));
  }, path);
}

/** Logs in by the form, and waits for the page after it. */
export async function logInByForm(page: Page, origin: string, next = '/devices'): Promise<void> {
  await page.goto(`${origin}/login?next=${encodeURIComponent(next)}`);
  await page.fill('[name=email]', USER);
  await page.fill('[name=password]', PASSWORD);
  await page.click('button[type=submit]');
  await page.waitForURL(origin + next);
}

/** The page's script has taken over. */
export async function ready(page: Page): Promise<void> {
  await page.waitForSelector('html[data-ready]');
}
