/** What the tests of the pages share: an authority that listens, a browser, and an ear for whatever goes wrong in it. */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from 'playwright-core';
import { findChromium } from '../../packages/server/test/services/chromium.ts';
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

/** The path of the browser; undefined where there is none, for `describe.skipIf`. */
export const CHROMIUM: string | undefined = findChromium();

export interface Site {
  origin: string;
  on: TestAuthority;
  /** Calls the API over the wire, from no browser. */
  call: Caller;
  /** Ends the server as a deployment does: nothing listens on its port any more. */
  stop(): Promise<void>;
  /** Starts it anew on the same data and port. @param before what happens before it listens */
  start(before?: (on: TestAuthority) => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

/** An authority on a port of localhost, or of another name of this machine, with its sockets. */
export async function openSite(settings: Record<string, string> = {}, host = 'localhost'): Promise<Site> {
  let listener: RequestListener = (_req, res) => void res.end();
  const server: Server = createServer((req, res) => listener(req, res));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const origin = `http://${host}:${port}`;
  const on = await openAuthority(hasPostgres() ? 'postgres' : 'embedded', {
    CURFEW_ISSUER: origin,
    PORT: String(port),
    ...settings,
  });
  const serve = (): void => {
    listener = site.on.authority.listener;
  };
  server.on('upgrade', (req, socket, head) => site.on.authority.upgrade(req, socket, head));
  const site: Site = {
    origin,
    on,
    call: callerOf((request) => fetch(request), `http://localhost:${port}`),
    stop: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      site.on.authority.hangUp();
      // What ends by itself may; what is kept alive is closed.
      const idle = setInterval(() => server.closeIdleConnections(), 20);
      const late = setTimeout(() => server.closeAllConnections(), 2000);
      await closed;
      clearInterval(idle);
      clearTimeout(late);
      await site.on.close();
    },
    start: async (before) => {
      site.on = await reopenAuthority(site.on.settings);
      await before?.(site.on);
      serve();
      await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    },
    close: () => (server.listening ? site.stop() : Promise.resolve()),
  };
  serve();
  return site;
}

export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM as string,
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--host-resolver-rules=MAP *.test 127.0.0.1'],
  });
}

/** A page in a browser of its own, as one person at one device has it. */
export interface Visitor {
  context: BrowserContext;
  page: Page;
  /** Whatever the console, the page or its policy has complained of. A refusal by the API that was asked for is none. */
  complaints: string[];
}

export async function visit(browser: Browser, options: BrowserContextOptions = {}): Promise<Visitor> {
  const context = await browser.newContext({ locale: 'en-GB', ...options });
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

/** All but what the browser itself notes of a line that is cut. */
export const besidesTheLine = (complaints: readonly string[]): string[] =>
  complaints.filter((one) => !/net::ERR_INTERNET_DISCONNECTED/.test(one));

/** Logs in through the page, and waits for the page after it. */
export async function logIn(
  page: Page,
  origin: string,
  email: string = USER,
  next = '/devices',
): Promise<void> {
  await page.goto(`${origin}/login?next=${encodeURIComponent(next)}`);
  await page.fill('[name=email]', email);
  await page.fill('[name=password]', passwordOf(email));
  await page.click('button[type=submit]');
  await page.waitForURL(origin + next);
}

/** The page's script has taken over. */
export async function ready(page: Page): Promise<void> {
  await page.waitForSelector('html[data-ready]');
}
