/** Pages of other origins in a real browser, against the pages and the socket. `http/browser.test.ts` has the API's rows. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page, WebSocket } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasChromium, openBrowser } from '../../packages/server/test/services/browser.ts';
import { variants } from '../../packages/server/test/services/budget.ts';
import { ADMIN, logInByForm, openSite, PASSWORD, type Site, visit } from './site.ts';

const AUTHORITY = 'id.example.localhost';

describe.skipIf(!hasChromium())('a page of another origin', () => {
  let site: Site;
  let browser: Browser;
  let others: Server;
  let port: number;
  beforeAll(async () => {
    // The authority's own name, so that a sibling of it is the same site, and its cookie is sent along from there.
    [site, browser] = await Promise.all([openSite({}, AUTHORITY), openBrowser()]);
    others = createServer((_req, res) => {
      res.setHeader('content-type', 'text/html');
      res.end('<!doctype html><link rel="icon" href="data:,"><title>another page</title><h1>Win</h1>');
    });
    await new Promise<void>((resolve) => others.listen(0, '127.0.0.1', resolve));
    ({ port } = others.address() as AddressInfo);
  });
  afterAll(async () => {
    await browser?.close();
    others?.closeAllConnections();
    others?.close();
    await site?.close();
  });

  /** Sends a form of that page, as a click there would. @returns the answer, and whether the session's cookie was sent */
  async function submit(
    page: Page,
    host: string,
    path: string,
    fields: Record<string, string>,
  ): Promise<{ status: number; withCookie: boolean }> {
    await page.goto(`http://${host}:${port}/`);
    await page.evaluate(
      ([action, values]) => {
        const form = document.createElement('form');
        form.method = 'post';
        form.action = action;
        for (const [name, value] of Object.entries(values)) {
          const input = document.createElement('input');
          input.type = 'hidden';
          input.name = name;
          input.value = value;
          form.append(input);
        }
        const button = document.createElement('button');
        button.textContent = 'Win';
        form.append(button);
        document.body.append(form);
      },
      [site.origin + path, fields] as const,
    );
    const [response] = await Promise.all([page.waitForNavigation(), page.getByRole('button').click()]);
    const sent = await response?.request().allHeaders();
    return {
      status: response?.status() ?? 0,
      withCookie: /curfew_session=/.test(sent?.['cookie'] ?? ''),
    };
  }

  /** What a WebSocket of that page hears until it is closed. */
  const listen = (page: Page): Promise<string[]> =>
    page.evaluate(
      (address) =>
        new Promise<string[]>((resolve) => {
          const events: string[] = [];
          const socket = new WebSocket(address, ['curfew.notices.v1']);
          socket.onopen = () => events.push('open');
          socket.onmessage = ({ data }) => events.push(String(data));
          socket.onclose = ({ code }) => resolve([...events, `closed ${code}`]);
        }),
      `${site.origin.replace('http', 'ws')}/v1/notices`,
    );

  // evil.test is another site. The sibling is the same site and another origin: the cookie does go along from there.
  test.each([
    ['evil.test', false],
    ['app.example.localhost', true],
  ])('%s cannot log anybody in or out, nor listen to notices', { tags: 'long' }, async (host, withCookie) => {
    const { page, context, complaints } = await visit(browser);
    const login = { email: ADMIN, password: PASSWORD, next: '/admin' };
    expect((await submit(page, host, '/login', login)).status).toBe(403);
    await page.getByText('Blocked: the request came from another website. Log in here.').waitFor();
    expect(await context.cookies()).toEqual([]);

    // It cannot replace the account of the session either.
    await logInByForm(page, site.origin);
    await page.locator('.device').first().waitFor();
    const session = (await context.cookies()).find(({ name }) => name === 'curfew_session')?.value;
    expect((await submit(page, host, '/login', login)).status).toBe(403);
    expect((await context.cookies()).find(({ name }) => name === 'curfew_session')?.value).toBe(session);

    await page.goto(`http://${host}:${port}/`);
    const sockets: WebSocket[] = [];
    page.on('websocket', (socket) => sockets.push(socket));
    const unheard = complaints.length;
    expect(await listen(page)).toEqual(['closed 1006']);
    expect(sockets).toHaveLength(1);
    expect(complaints.splice(unheard)).toEqual([expect.stringMatching(/Unexpected response code: 40[13]/)]);

    await page.goto(`${site.origin}/logout`);
    const csrf = await page.locator('[name=csrf]').inputValue();
    // Even with the token, which no other page can read.
    for (const fields of variants([{ csrf, next: '/devices' }, {}, { csrf }])) {
      const answered = await submit(page, host, '/logout', fields);
      expect(answered).toEqual({ status: withCookie ? 403 : 200, withCookie });
      if (withCookie) await page.getByText('Do you want to log out on this device?').waitFor();
      else await page.getByText('You are not logged in.').waitFor();
    }
    await page.goto(`http://${host}:${port}/`);
    const before = complaints.length;
    const script = await page.evaluate(
      async ([origin, token]) => {
        const json = { 'content-type': 'application/json', 'x-csrf-token': token };
        const tries: [string, RequestInit][] = [
          ['/v1/logout', { method: 'POST', mode: 'no-cors' }],
          ['/v1/logout', { method: 'POST', headers: json, body: '{"scope":"all"}' }],
          ['/logout', { method: 'POST', mode: 'no-cors', body: new URLSearchParams({ csrf: token }) }],
          ['/v1/session', { method: 'GET' }],
        ];
        const ends: string[] = [];
        for (const [path, init] of tries)
          ends.push(
            await fetch(origin + path, { ...init, credentials: 'include' }).then(
              ({ type }) => type,
              () => 'blocked',
            ),
          );
        return ends;
      },
      [site.origin, csrf] as const,
    );
    // Nothing of it can be read, not even that there was an answer (Cross-Origin-Resource-Policy), and it has done nothing.
    expect(script).toEqual(['blocked', 'blocked', 'blocked', 'blocked']);
    // The browser itself logs what it blocked, and nothing else is logged.
    for (const one of complaints.splice(before))
      expect(one).toMatch(/blocked by CORS policy|net::ERR_FAILED|ERR_BLOCKED_BY_RESPONSE.NotSameOrigin/);

    await page.goto(`${site.origin}/devices`);
    await page.getByText('This device').waitFor();
    await page.locator('#account').getByText('Demo User').waitFor();
    expect(complaints).toEqual([]);
    await context.close();
  });
});
