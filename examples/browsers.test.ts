/** The examples with pages, each in a real browser: two tabs, and a second device without a browser. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { createServer as createVite } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasChromium, openBrowser } from '../packages/server/test/services/browser.ts';
import { freshData } from '../packages/server/test/services/embedded-data.ts';
import { freshDatabase, hasPostgres } from '../packages/server/test/services/fresh-database.ts';
import { freePort } from '../packages/server/test/services/ports.ts';
import { scratchRoot } from '../packages/server/test/services/scratch.ts';
import { migrated, openAuthority } from '../packages/server/test/support.ts';
import { writeClientBundle } from '../tools/bundle-client.ts';

interface Running {
  origin: string;
  stop: () => Promise<void>;
}

/** A program that is authority and pages in one. */
async function spawned(file: string): Promise<Running> {
  const port = await freePort();
  const child: ChildProcess = spawn(
    process.execPath,
    ['--conditions=curfew-source', join(import.meta.dirname, file)],
    {
      env: {
        PATH: process.env['PATH'],
        PORT: String(port),
        // examples.test.ts tests a start on the embedded database.
        ...(hasPostgres()
          ? { DATABASE_URL: await freshDatabase(migrated) }
          : { CURFEW_DATA: freshData('example') }),
        CURFEW_DEMO_ACCOUNTS: '1',
        NODE_COMPILE_CACHE: join(scratchRoot(), 'compiled'),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let output = '';
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  await new Promise<void>((ready, fail) => {
    void ended.then((code) => fail(new Error(`${file} ended with ${code}\n${output}`)));
    createInterface(child.stdout as NodeJS.ReadableStream).on('line', (line) => {
      if (line.startsWith('listening on ')) ready();
    });
  });
  return {
    origin: `http://localhost:${port}`,
    stop: async () => {
      child.kill('SIGTERM');
      expect(await ended, output).toBe(0);
    },
  };
}

/** A page that Vite serves, with the authority behind its proxy. */
async function proxied(directory: string): Promise<Running> {
  const on = await openAuthority(hasPostgres() ? 'postgres' : 'embedded');
  const server = createServer(on.authority.listener);
  server.on('upgrade', on.authority.upgrade);
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  process.env['AUTHORITY'] = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const root = join(import.meta.dirname, directory);
  const vite = await createVite({
    root,
    configFile: join(root, 'vite.config.ts'),
    configLoader: 'native',
    logLevel: 'error',
    // Vite's cache of libraries is kept for later runs; it detects when it is stale.
    cacheDir: join(scratchRoot(), `vite-${directory}`),
    server: { host: '127.0.0.1', port: await freePort() },
  });
  await vite.listen();
  return {
    origin: `http://localhost:${vite.config.server.port}`,
    stop: async () => {
      await vite.close();
      on.authority.hangUp();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await on.close();
    },
  };
}

const examples: [string, () => Promise<Running>][] = [
  ['browser-plain', () => writeClientBundle().then(() => spawned('browser-plain/server.ts'))],
  ['browser-react', () => proxied('browser-react')],
  ['browser-vue', () => proxied('browser-vue')],
  ['server-rendered', () => spawned('server-rendered/start.ts')],
];

// Several browsers' windows at once, on a machine that has other work: a minute and a half is plenty.
describe.skipIf(!hasChromium())('in a browser', { timeout: 240_000 }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser?.close());

  describe.each(examples)('examples/%s', (name, start) => {
    let example: Running;
    const contexts: BrowserContext[] = [];
    const errors: string[] = [];
    beforeAll(async () => {
      example = await start();
    }, 60_000);
    afterAll(async () => {
      for (const context of contexts) await context.close();
      await example?.stop();
    });

    async function openPage(context?: BrowserContext): Promise<Page> {
      const where = context ?? (await browser.newContext());
      if (!context) contexts.push(where);
      const page = await where.newPage();
      page.on('pageerror', (error) => errors.push(String(error)));
      page.on('console', (message) => {
        // A missing session is a 401, which the browser logs, for a socket in other words.
        const expected =
          message.type() === 'log' ||
          /401|HTTP Authentication failed|\[vite\]|React DevTools/.test(message.text());
        if (!expected && message.type() !== 'debug') errors.push(message.text());
      });
      await page.goto(example.origin);
      return page;
    }
    async function logIn(page: Page, password = 'password123'): Promise<void> {
      await page.getByLabel('E-mail').fill('test@example.com');
      await page.getByLabel('Password').fill(password);
      await page.getByRole('button', { name: 'Log in' }).click();
    }
    const hello = (page: Page): Promise<void> => page.getByRole('heading', { name: /^Hello / }).waitFor();
    const said = (page: Page): Promise<string | null> => page.getByRole('status').textContent();
    const press = (page: Page, button: string): Promise<void> =>
      page.getByRole('button', { name: button, exact: true }).click();

    /** A program that is logged in as the same user. */
    async function openDevice() {
      const send = (path: string, body: object, token?: string): Promise<Response> =>
        fetch(example.origin + path, {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            ...(token !== undefined && { authorization: `Bearer ${token}` }),
          },
          body: JSON.stringify(body),
        });
      const login = await send('/v1/login', { email: 'test@example.com', password: 'password123' });
      const { access_token: token } = (await login.json()) as { access_token: string };
      return {
        status: async () =>
          (await fetch(`${example.origin}/v1/session`, { headers: { authorization: `Bearer ${token}` } }))
            .status,
        endOthers: async () =>
          expect((await send('/v1/logout', { scope: 'others' }, token)).status).toBe(200),
      };
    }

    test('a login and each logout show in every tab and on every device without a reload', async () => {
      const page = await openPage();
      const connected = new Promise<void>((resolve) => {
        page.on('websocket', (socket) => socket.on('framereceived', () => resolve()));
      });
      await logIn(page, 'wrong');
      await expect.poll(() => said(page)).toBe('Wrong e-mail address or password.');
      await logIn(page);
      await hello(page);
      await connected;
      const device = await openDevice();
      await device.endOthers();
      await expect.poll(() => said(page)).toBe('You were logged out: logout, by other_device.');
      expect(await page.getByRole('heading').count()).toBe(0);

      await logIn(page);
      await hello(page);
      const tab = await openPage(page.context());
      await hello(tab);
      // Long under way, it is over for the page all the same, and in every tab of it.
      await page.context().route('**/v1/logout', async (route) => {
        await new Promise((resolve) => setTimeout(resolve, 700));
        await route.continue();
      });
      await press(page, 'Log out');
      for (const one of [page, tab]) await one.getByRole('button', { name: 'Log in' }).waitFor();
      await expect.poll(() => page.context().cookies()).toEqual([]);
      await page.context().unrouteAll({ behavior: 'wait' });
      expect(await device.status()).toBe(200);

      // The back button shows nothing either.
      await page.goto('about:blank');
      await page.goBack();
      await page.getByRole('button', { name: 'Log in' }).waitFor();
      expect(await page.getByRole('heading').count()).toBe(0);

      await logIn(page);
      await hello(page);
      await press(page, 'Log out everywhere');
      await page.getByRole('button', { name: 'Log in' }).waitFor();
      expect(await device.status()).toBe(401);
    });

    test.runIf(name === 'server-rendered')('the pages work without JavaScript', async () => {
      const context = await browser.newContext({ javaScriptEnabled: false });
      contexts.push(context);
      const page = await openPage(context);
      await logIn(page, 'wrong');
      expect(await said(page)).toBe('Wrong e-mail address or password.');
      await logIn(page);
      await hello(page);
      const device = await openDevice();
      await press(page, 'Log out');
      await page.getByRole('button', { name: 'Log in' }).waitFor();
      expect(await context.cookies()).toEqual([]);
      expect(await device.status()).toBe(200);
      await logIn(page);
      await hello(page);
      await press(page, 'Log out everywhere');
      await page.getByRole('button', { name: 'Log in' }).waitFor();
      expect(await device.status()).toBe(401);
    });

    test('no browser error occurred in the tests above', () => {
      expect(errors).toEqual([]);
    });
  });
});
