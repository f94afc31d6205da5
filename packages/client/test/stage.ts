/** A real authority with pages beside it, and tabs of a real browser in which the built client runs. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { inject } from 'vitest';
// Declares what the run provides.
import type {} from './global-setup.ts';
import { hasPostgres } from '../../server/test/services/fresh-database.ts';
import { openAuthority, PASSWORD, reopenAuthority, type TestAuthority } from '../../server/test/support.ts';
import type { Client, ClientOptions, LoggedOut } from '../src/index.ts';

declare global {
  /** The members of a page of the stage. */
  interface Window {
    curfew: typeof import('../src/index.ts');
    client: Client;
    /** The calls of `onLoggedOut`, with the machine's clock. */
    heard: (LoggedOut & { heardMs: number })[];
    changes: number;
    /** Delivers the held messages. */
    arrive?: () => void;
  }
}

export interface Stage {
  origin: string;
  on: TestAuthority;
  /** Requests to the authority that came through, as `POST /v1/refresh`. */
  requests: string[];
  /** The application's pages and scripts, by path. */
  files: Record<string, string>;
  /** The application's back end, under /api. */
  api: (req: IncomingMessage, res: ServerResponse) => void;
  /** Looks at each request to the authority first; answers whether it has dealt with it. */
  intercept: ((req: IncomingMessage, res: ServerResponse) => boolean) | null;
  /** As if the line to the authority were cut: pages still come, from a cache as it were. */
  cut: boolean;
  /** How often the authority was tried while the line was cut. */
  tried: number;
  /** Sets the authority's clock forward. */
  pass: (seconds: number) => void;
  /** Ends all WebSockets without a word. */
  cutSockets: () => void;
  /** Sockets that are open now. */
  sockets: () => number;
  count: (request: string) => number;
  /** Ends this node as a deployment does and starts the next one on the same data. */
  restart: () => Promise<void>;
  close: () => Promise<void>;
}

const HTML = `<!doctype html><link rel="icon" href="data:,"><title>page</title><script type="module" src="/page.js"></script>`;
const SCRIPT = `import * as curfew from '/client.js'; globalThis.curfew = curfew; globalThis.heard = []; globalThis.changes = 0;`;

/** Pages and back end of the application, and the authority under its paths. */
function serve(staged: () => Stage, mounts: string[], sockets: Set<Duplex>): Server {
  const below = (path: string): string => {
    const mount = mounts.find((one) => path.startsWith(`${one}/`));
    return mount === undefined ? `/nowhere${path}` : path.slice(mount.length);
  };
  const server = createServer((req, res) => {
    const stage = staged();
    const path = req.url ?? '/';
    const page = stage.files[path];
    if (page !== undefined) {
      // Strict, to show that the client needs nothing that a careful page forbids.
      res.setHeader(
        'content-security-policy',
        `default-src 'none'; script-src 'self'; connect-src *; img-src data:`,
      );
      res.setHeader('content-type', path.endsWith('.js') ? 'text/javascript' : 'text/html');
      res.end(page);
      return;
    }
    if (path.startsWith('/api')) return stage.api(req, res);
    if (stage.cut) {
      stage.tried++;
      return void req.socket.destroy();
    }
    req.url = below(path);
    stage.requests.push(`${req.method} ${req.url}`);
    if (stage.intercept?.(req, res)) return;
    stage.on.authority.listener(req, res);
  });
  server.on('upgrade', (req: IncomingMessage, socket: Duplex, head: Buffer) => {
    const stage = staged();
    if (stage.cut) {
      stage.tried++;
      return void socket.destroy();
    }
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    req.url = below(req.url ?? '/');
    stage.requests.push(`UPGRADE ${req.url}`);
    stage.on.authority.upgrade(req, socket, head);
  });
  return server;
}

/** @param mounts paths under which the authority is, as a proxy does that takes them off. The rest is not found. */
export async function openStage(
  settings: Record<string, string> = {},
  mounts: string[] = [''],
): Promise<Stage> {
  const sockets = new Set<Duplex>();
  const server = serve(() => stage, mounts, sockets);
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const { port } = server.address() as AddressInfo;
  const origin = `http://localhost:${port}`;
  let passedMs = 0;
  const system = { system: { now: () => new Date(Date.now() + passedMs) } };
  const on = await openAuthority(
    hasPostgres() ? 'postgres' : 'embedded',
    { CURFEW_ISSUER: origin + mounts[0], PORT: String(port), ...settings },
    system,
  );
  const stage: Stage = {
    origin,
    on,
    requests: [],
    files: { '/': HTML, '/page.js': SCRIPT, '/client.js': inject('clientBundle') },
    api: (_req, res) => res.end(),
    intercept: null,
    cut: false,
    tried: 0,
    pass: (seconds) => {
      passedMs += seconds * 1000;
    },
    cutSockets: () => {
      for (const socket of sockets) socket.destroy();
    },
    sockets: () => sockets.size,
    restart: async () => {
      stage.cut = true;
      stage.on.authority.hangUp();
      await stage.on.close();
      stage.on = await reopenAuthority(stage.on.settings, system);
      stage.cut = false;
    },
    count: (request) => stage.requests.filter((one) => one === request).length,
    close: async () => {
      stage.cutSockets();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await stage.on.close();
    },
  };
  return stage;
}

const gone = new WeakSet<BrowserContext>();

/**
 * A browser's context for the next test of a file: the one before, without anything that it had of the origin. A new one with a page
 * costs three times as much. A test that leaves more in it than pages, cookies and storage closes it.
 */
export async function emptied(
  browser: Browser,
  before: BrowserContext | undefined,
  origin: string,
): Promise<BrowserContext> {
  const [page, ...others] = before?.pages() ?? [];
  if (!before || !page || gone.has(before)) {
    await before?.close();
    const context = await browser.newContext();
    context.once('close', () => gone.add(context));
    return context;
  }
  for (const other of others) await other.close();
  await before.setOffline(false);
  await page.goto('about:blank');
  const session = await before.newCDPSession(page);
  await session.send('Storage.clearDataForOrigin', { origin, storageTypes: 'all' });
  await session.detach();
  await before.clearCookies();
  return before;
}

/** A page with a client in it that listens. */
export async function openTab(
  context: BrowserContext,
  origin: string,
  options: ClientOptions = {},
  listens = true,
): Promise<Page> {
  const page = context.pages().find((one) => one.url() === 'about:blank') ?? (await context.newPage());
  await page.goto(origin);
  await startClient(page, options, listens);
  return page;
}

/** Waits for it in a page that was loaded (again). */
export async function startClient(page: Page, options: ClientOptions = {}, listens = true): Promise<void> {
  await page.waitForFunction(() => 'curfew' in window);
  await page.evaluate(
    ([given, wants]) => {
      window.client = window.curfew.createClient(given);
      if (!wants) return;
      window.client.onLoggedOut((why) => void window.heard.push({ ...why, heardMs: Date.now() }));
      window.client.onSessionsChanged(() => void window.changes++);
    },
    [options, listens] as const,
  );
}

/** A browser without the APIs that the client prefers. */
export const withoutNewApis = (context: BrowserContext): Promise<unknown> =>
  context.addInitScript(() => {
    Object.defineProperty(Navigator.prototype, 'locks', { value: undefined });
    Object.defineProperty(window, 'BroadcastChannel', { value: undefined });
  });

export const logIn = (page: Page, email = 'test@example.com'): Promise<string> =>
  page.evaluate(async ([who, password]) => (await window.client.login({ email: who, password })).id, [
    email,
    PASSWORD,
  ] as const);

export const heard = (page: Page): Promise<Window['heard']> => page.evaluate(() => window.heard);

/** The session as the server reports it to the page, or null. */
export const sessionIn = (page: Page): Promise<string | null> =>
  page.evaluate(async () => (await window.client.session())?.id ?? null);

/** Everything that a script of the origin can read. */
export const readable = (page: Page): Promise<string> =>
  page.evaluate(() =>
    JSON.stringify([
      Object.fromEntries(Object.entries(localStorage)),
      Object.fromEntries(Object.entries(sessionStorage)),
      document.cookie,
      location.href,
    ]),
  );
