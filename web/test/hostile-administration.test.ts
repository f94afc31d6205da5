/** What strangers write about themselves, where administrators read it: markup, turned directions, far too much. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { hasChromium, openBrowser } from '../../packages/server/test/services/browser.ts';
import { passwordOf, SERVICE_KEY } from '../../packages/server/test/support.ts';
import { ADMIN, openSite, NEW_PASSWORD, type Site, visit } from './site.ts';

const MARKUP = '<img src=x onerror=alert(1)><script>alert(2)</script></bdi><h1>';
/** Turns what follows, hides, and is never turned back. */
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
/** What may not reach the page: it turns or hides what stands beside it. Isolation that is ended again is ours. */
const UNSEEN = /(?![\n\t])\p{Cc}|[\u200b\u202a-\u202e\u2066\u2067]/u;
const EMAIL = '<img/src=x/onerror=alert(1)>gnp@evil.example';

describe.skipIf(!hasChromium())('what strangers write, in the administration', () => {
  let site: Site;
  let browser: Browser;
  let hostile: number;
  beforeAll(async () => {
    [site, browser] = await Promise.all([openSite(), openBrowser()]);
    hostile = await account({ email: EMAIL, name: (MARKUP + TURNED).repeat(2), workspace: MARKUP + TURNED });
  });
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
    /** The page is the one that we made: no element, no dialog, no turn, no breadth by what is read on it. */
    isUnharmed: () => Promise<void>;
    leave: () => Promise<void>;
  }
  async function read(email: string, path: string): Promise<Reader> {
    const { page, context, complaints } = await visit(browser, { viewport: { width: 320, height: 700 } });
    let dialogs = 0;
    page.on('dialog', (dialog) => {
      dialogs++;
      void dialog.dismiss();
    });
    // Not by the form: a browser's own idea of an address keeps some of these out of its field.
    const login = { email, password: passwordOf(email), transport: 'cookie' };
    expect((await context.request.post(`${site.origin}/v1/login`, { data: login })).status()).toBe(200);
    await page.goto(site.origin + path);
    return {
      page,
      isUnharmed: async () => {
        expect(await page.locator('#page :is(img, script), #account :is(img, script)').count()).toBe(0);
        expect(await page.locator('h1').count()).toBe(1);
        const text = await page.evaluate(() => {
          const named = [...document.querySelectorAll('[aria-label], [title]')];
          const names = named.map((one) => `${one.getAttribute('aria-label')} ${one.getAttribute('title')}`);
          return [document.title, document.body.innerText, ...names].join(' ');
        });
        expect(text).not.toMatch(UNSEEN);
        expect(text).not.toMatch(/W{81}/);
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(320);
        expect(dialogs).toBe(0);
      },
      leave: async () => {
        expect(complaints).toEqual([]);
        await context.close();
      },
    };
  }

  test('the live tail, the log, its filters and the history of a user', async () => {
    const { page, isUnharmed, leave } = await read(ADMIN, '/admin/log');
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
    await page.getByLabel('User number').fill(String(hostile));
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    await page.waitForFunction((n) => document.querySelectorAll('.event').length === n, 9);
    await isUnharmed();
    await page.goto(`${site.origin}/admin/users/${hostile}`);
    await page.locator('.event', { hasText: '<img src=x onerror=alert(1)>' }).nth(1).waitFor();
    await isUnharmed();
    await leave();
  });

  test('reasons, kinds and doers that this page does not know', async () => {
    const { page, isUnharmed, leave } = await read(ADMIN, '/admin');
    await logInAs('curl/8.5.0', 'phone');
    // A newer server may say more than this page knows; here it says the worst.
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
    await leave();
  });

  test('the list of users, and the page of one: facts, sessions, what is asked, what is said', async () => {
    await site.call('POST', '/v1/admin/logout', {
      bearer: SERVICE_KEY,
      body: { scope: 'user', user_id: hostile },
    });
    for (const userAgent of USER_AGENTS) await logInAs(userAgent, '');
    await logInAs('curl/8.5.0', (MARKUP + TURNED).slice(0, 100));
    await logInAs('curl/8.5.0', LONG.slice(0, 100));
    const { page, isUnharmed, leave } = await read(ADMIN, '/admin');
    await page.getByRole('searchbox').fill(MARKUP);
    await page.getByText('One user', { exact: true }).first().waitFor();
    await isUnharmed();
    await page.locator('.row-link').click();
    const sessions = page.locator('.session');
    await page.getByText('6 sessions', { exact: true }).first().waitFor();
    expect(await sessions.count()).toBe(6);
    await isUnharmed();
    for (const act of ['Log out all', 'Reset the password', 'Change the role', 'Disable']) {
      await page.getByRole('button', { name: act, exact: true }).click();
      await page.getByRole('dialog').waitFor();
      await isUnharmed();
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
    }
    for (let left = 6; left > 0; left--) {
      await sessions.first().getByRole('button').click();
      await page.waitForFunction((n) => document.querySelectorAll('.session').length === n, left - 1);
    }
    await page.locator('summary', { hasText: 'Ended sessions' }).click();
    await page.locator('.session.over').nth(5).waitFor();
    await isUnharmed();
    await leave();
  });

  test('an administrator who is called so, and a verifier', async () => {
    const email = `admin${EMAIL}`;
    await account({ email, name: '', role: 'admin' });
    const verifier = new WebSocket(`${site.origin.replace(/^http/, 'ws')}/v1/feed`, {
      headers: { authorization: `Bearer ${SERVICE_KEY}` },
    });
    await new Promise((resolve) => verifier.once('open', resolve));
    verifier.send(JSON.stringify({ t: 'hello', v: 1, replica: MARKUP + TURNED + LONG }));
    const { page, isUnharmed, leave } = await read(email, '/admin/state');
    await page.getByRole('region', { name: 'Verifiers that follow this node' }).waitFor();
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
    await leave();
  });
});
