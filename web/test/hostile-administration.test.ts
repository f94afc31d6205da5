/** Hostile texts from strangers where administrators read them: markup, direction controls, excessive length. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { hasChromium, openBrowser } from '../../packages/server/test/services/browser.ts';
import { passwordOf, SERVICE_KEY } from '../../packages/server/test/support.ts';
import { ADMIN, anew, openSite, NEW_PASSWORD, type Site, visit, type Visitor } from './site.ts';

const MARKUP = '<img src=x onerror=alert(1)><script>alert(2)</script></bdi><h1>';
/** Direction controls and invisible characters without an end. */
const TURNED = '\u202egnp.exe\u2066\u200b\u0007';
const LONG = 'W'.repeat(10_000);
/** As a program sends it that writes its header in UTF-8: bytes, which the server reads one by one. */
const inHeader = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
const USER_AGENTS = [
  `${MARKUP}/1.0`,
  inHeader('Evil\u202e/1 \u2066x'),
  LONG,
  `Mozilla/5.0 ${LONG} Firefox/1`,
];
/** Characters that may not reach the page, because they change or hide their surroundings. The page's own isolates are closed. */
const UNSEEN = /(?![\n\t])\p{Cc}|[\u200b\u202a-\u202e\u2066\u2067]/u;
const EMAIL = '<img/src=x/onerror=alert(1)>gnp@evil.example';

describe.skipIf(!hasChromium())('hostile texts in the administration', () => {
  let site: Site;
  let browser: Browser;
  let hostile: number;
  let reader: Visitor;
  let dialogs = 0;
  beforeAll(async () => {
    [site, browser] = await Promise.all([openSite(), openBrowser()]);
    hostile = await account({ email: EMAIL, name: (MARKUP + TURNED).repeat(2), workspace: MARKUP + TURNED });
    reader = await visit(browser, { viewport: { width: 320, height: 700 } });
    reader.page.on('dialog', (dialog) => {
      dialogs++;
      void dialog.dismiss();
    });
  });
  beforeEach(() => anew(reader));
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  async function account(facts: object): Promise<number> {
    const body = { password: NEW_PASSWORD, ...facts };
    return (await site.call('POST', '/v1/admin/users', { bearer: SERVICE_KEY, body })).json.user.id;
  }
  const logInAs = (userAgent: string, name: string): Promise<{ json: { access_token: string } }> =>
    site.call('POST', '/v1/login', {
      body: { email: EMAIL, password: NEW_PASSWORD, device: { name } },
      headers: { 'user-agent': userAgent },
    });

  interface Reader {
    page: Page;
    /** The page is intact: no foreign element, dialog, direction or width. */
    isUnharmed: () => Promise<void>;
  }
  async function read(email: string, path: string): Promise<Reader> {
    const { page, context, complaints } = reader;
    // Not by the form: a browser's own idea of an address keeps some of these out of its field.
    const login = { email, password: passwordOf(email), transport: 'cookie' };
    expect((await context.request.post(`${site.origin}/v1/login`, { data: login })).status()).toBe(200);
    await page.goto(site.origin + path);
    return {
      page,
      isUnharmed: async () => {
        const seen = await page.evaluate(() => {
          const named = [...document.querySelectorAll('[aria-label], [title]')];
          const names = named.map((one) => `${one.getAttribute('aria-label')} ${one.getAttribute('title')}`);
          return {
            elements: document.querySelectorAll('#page :is(img, script), #account :is(img, script)').length,
            titles: document.querySelectorAll('h1').length,
            text: [document.title, document.body.innerText, ...names].join(' '),
            width: document.documentElement.scrollWidth,
          };
        });
        expect(seen).toMatchObject({ elements: 0, titles: 1, width: 320 });
        expect(seen.text).not.toMatch(UNSEEN);
        expect(seen.text).not.toMatch(/W{81}/);
        expect(dialogs).toBe(0);
        expect(complaints).toEqual([]);
      },
    };
  }

  test('do no harm in the live log, its filters and the history of a user', async () => {
    const { page, isUnharmed } = await read(ADMIN, '/admin/log');
    await page.locator('.badge', { hasText: 'Live' }).waitFor();
    // The tail: each comes by itself.
    for (const userAgent of USER_AGENTS) {
      const before = await page.locator('.event.fresh').count();
      const { json } = await logInAs(userAgent, 'phone');
      await page.locator('.event.fresh').nth(before).waitFor();
      await site.call('POST', '/v1/logout', {
        bearer: json.access_token,
        headers: { 'user-agent': userAgent },
      });
      await page
        .locator('.event.fresh')
        .nth(before + 1)
        .waitFor();
    }
    expect(await page.locator('.event.fresh').count()).toBe(2 * USER_AGENTS.length);
    expect(await page.locator('.event.fresh', { hasText: '<img src=x onerror=alert(1)>' }).count()).toBe(2);
    await isUnharmed();
    // The same, read and not followed.
    await page.reload();
    await page.locator('.event', { hasText: '<img src=x onerror=alert(1)>' }).nth(1).waitFor();
    await isUnharmed();
    await page.locator('summary', { hasText: 'Filters' }).click();
    await page.getByLabel('User ID').fill(String(hostile));
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    await page.waitForFunction((n) => document.querySelectorAll('.event').length === n, 9);
    await isUnharmed();
    await page.goto(`${site.origin}/admin/users/${hostile}`);
    await page.locator('.event', { hasText: '<img src=x onerror=alert(1)>' }).nth(1).waitFor();
    await isUnharmed();
  });

  test('reasons, kinds and actors that the page does not know do no harm', async () => {
    const { page, isUnharmed } = await read(ADMIN, '/admin');
    await logInAs('curl/8.5.0', 'phone');
    // A newer server may send more than this page knows; here the worst.
    await page.route('**/v1/admin/events?*', async (route) => {
      if (route.request().headers()['accept'] === 'text/event-stream') return route.continue();
      const response = await route.fetch();
      const { events, next } = (await response.json()) as { events: object[]; next: number | null };
      const evil = MARKUP + TURNED + LONG;
      const all = { type: evil, scope: evil, reason: evil, actor: evil, client_id: evil, device_id: evil };
      await route.fulfill({
        response,
        json: {
          events: events.map((event, i) => ({
            ...event,
            ...all,
            ...(i % 2 ? { type: 'sessions_ended' } : {}),
          })),
          next,
        },
      });
    });
    for (const path of ['/admin/log', `/admin/users/${hostile}`]) {
      await page.goto(site.origin + path);
      await page.locator('.event', { hasText: '<img src=x onerror=alert(1)>' }).nth(1).waitFor();
      await isUnharmed();
    }
  });

  test('do no harm in the list of users and on a user’s page, its questions and messages', async () => {
    await site.call('POST', '/v1/admin/logout', {
      bearer: SERVICE_KEY,
      body: { scope: 'user', user_id: hostile },
    });
    for (const userAgent of USER_AGENTS) await logInAs(userAgent, '');
    await logInAs('curl/8.5.0', (MARKUP + TURNED).slice(0, 100));
    await logInAs('curl/8.5.0', LONG.slice(0, 100));
    const { page, isUnharmed } = await read(ADMIN, '/admin');
    await page.getByRole('searchbox').fill(MARKUP);
    await page.getByText('One user', { exact: true }).first().waitFor();
    await isUnharmed();
    await page.locator('.row-link').click();
    const sessions = page.locator('.session');
    await page.getByText('6 sessions', { exact: true }).first().waitFor();
    expect(await sessions.count()).toBe(6);
    await isUnharmed();
    for (const act of ['Log out all', 'Reset the password', 'Change role', 'Disable']) {
      await page.getByRole('button', { name: act, exact: true }).click();
      await page.getByRole('dialog').waitFor();
      await isUnharmed();
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
    }
    await sessions.first().getByRole('button').click();
    await page.waitForFunction(() => document.querySelectorAll('.session').length === 5);
    await isUnharmed();
    await page.getByLabel('Select all').check();
    await page.getByRole('button', { name: 'Log out 5 selected' }).click();
    await sessions.first().waitFor({ state: 'detached' });
    await page.locator('summary', { hasText: 'Ended sessions' }).click();
    await page.locator('.session.over').nth(5).waitFor();
    await isUnharmed();
  });

  test('do no harm as the names of an administrator and a verifier', async () => {
    const email = `admin${EMAIL}`;
    await account({ email, name: '', role: 'admin' });
    const verifier = new WebSocket(`${site.origin.replace(/^http/, 'ws')}/v1/feed`, {
      headers: { authorization: `Bearer ${SERVICE_KEY}` },
    });
    await new Promise((resolve) => verifier.once('open', resolve));
    verifier.send(JSON.stringify({ t: 'hello', v: 1, replica: MARKUP + TURNED + LONG }));
    const { page, isUnharmed } = await read(email, '/admin/state');
    await page.getByRole('region', { name: 'Verifiers connected to this node' }).waitFor();
    await page.getByRole('rowheader', { name: '<img src=x onerror=alert(1)>' }).waitFor();
    await page.locator('#account', { hasText: '<img/src=x' }).waitFor();
    await isUnharmed();
    verifier.terminate();
    for (const path of ['/admin', '/devices']) {
      await page.goto(site.origin + path);
      await page.locator('.row-link, .device').first().waitFor();
      await page.locator('#account', { hasText: '<img/src=x' }).waitFor();
      await isUnharmed();
    }
  });
});
