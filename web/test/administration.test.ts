/** The administrator at three in the morning with a stolen account, in a real browser. */
import { text } from 'node:stream/consumers';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasChromium, openBrowser } from '../../packages/server/test/services/browser.ts';
import { SERVICE_KEY } from '../../packages/server/test/support.ts';
import { ADMIN, goOn, logIn, openSite, NEW_PASSWORD, type Site, visit, type Visitor } from './site.ts';

describe.skipIf(!hasChromium())('the administration', () => {
  let site: Site;
  let browser: Browser;
  let admin: Visitor;
  let page: Page;
  beforeAll(async () => {
    [site, browser] = await Promise.all([
      openSite({ CURFEW_CLIENTS: '{"shop":{"name":"The shop"}}' }),
      openBrowser(),
    ]);
    for (const [email, name] of [
      ['ada@example.com', 'Ada Lovelace'],
      ['grace@example.com', 'Grace Hopper'],
      ['bad@example.com', '<img src=x onerror=alert(1)>\u202egnp.exe'],
    ])
      await site.call('POST', '/v1/admin/users', {
        bearer: SERVICE_KEY,
        body: { email, name, password: NEW_PASSWORD },
      });
    admin = await visit(browser);
    page = admin.page;
    await logIn(page, site.origin, ADMIN, '/admin');
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  const open = async (path: string): Promise<void> => {
    await page.goto(site.origin + path);
    await page.locator('h1').waitFor();
  };
  const on = (path: string): Promise<void> => goOn(page, path);
  /** A session of a user, without a browser. */
  const start = async (userId: number, more: object = {}): Promise<string> =>
    (
      await site.call('POST', '/v1/admin/sessions', {
        bearer: SERVICE_KEY,
        body: { user_id: userId, ...more },
      })
    ).json.access_token;

  test('the log names the API key that acted', async () => {
    const key = { name: 'Shop <back end>', scopes: ['users', 'admin'] };
    const made = await site.call('POST', '/v1/admin/api-keys', { bearer: SERVICE_KEY, body: key });
    const bearer = made.json.secret;
    await site.call('POST', '/v1/admin/users', { bearer, body: { email: 'made-by-key@example.com' } });
    const revoked = { bearer, body: { confirm_last_admin_key: true } };
    await site.call('DELETE', `/v1/admin/api-keys/${made.json.key.id}`, revoked);
    await open(`/admin/log?actor=key:${made.json.key.id}`);
    const list = page.getByRole('list', { name: 'Events, newest first' });
    const byKey = list
      .getByRole('listitem')
      .filter({ hasText: `by: Shop <back end> (key:${made.json.key.id})` });
    await byKey.filter({ hasText: 'API key revoked' }).waitFor();
    expect(await byKey.count()).toBe(2);
  });

  test('refusals are in the account’s history and in the log, with a filter for them', async () => {
    const email = 'grace@example.com';
    for (let i = 0; i < 3; i++) await site.call('POST', '/v1/login', { body: { email, password: 'wrong' } });
    await site.call('POST', '/v1/login', { body: { email: 'nobody@example.com', password: 'wrong' } });
    await open('/admin/log');
    const list = page.getByRole('list', { name: 'Events, newest first' });
    const refused = list.getByRole('listitem').filter({ hasText: 'Login failed' });
    await refused.filter({ hasText: 'by: someone not logged in' }).nth(1).waitFor();
    expect(await list.innerText()).not.toContain('nobody@');
    await page.getByText('Filters').click();
    await page.getByLabel('Event type').selectOption('All refusals');
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    await list.locator('.event:not(.refused)').first().waitFor({ state: 'detached' });
    await refused.first().waitFor();
    const { json } = await site.call('GET', `/v1/admin/users?query=${email}`, { bearer: SERVICE_KEY });
    await on(`/admin/users/${json.users[0].id}`);
    // At the turn of a minute they are two.
    const history = page.getByRole('list', { name: 'History' });
    await history.getByText('Login failed').first().waitFor();
    expect(await history.innerText()).toContain('127.0.0.1');
    expect(await history.innerText()).toMatch(/[23] attempts, the last at/);
  });

  test('a stolen account is found by part of the name and all its sessions are ended, as its owner sees', async () => {
    const owner = await visit(browser);
    await logIn(owner.page, site.origin, 'ada@example.com');
    await start(3);
    await on('/admin');
    await page.getByRole('searchbox').fill('lovel');
    const hit = page.getByRole('link', { name: /Ada Lovelace/ });
    await hit.waitFor();
    // By keyboard: down into the list, and in.
    await page.getByText('One user', { exact: true }).first().waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Ada Lovelace' }).waitFor();
    expect(new URL(page.url()).pathname).toBe('/admin/users/3');
    const live = page.getByRole('list', { name: 'Logged in now' }).getByRole('listitem');
    await page.getByText('2 sessions', { exact: true }).first().waitFor();
    expect(await live.count()).toBe(2);
    // A third one comes while one looks on, and goes when it is ended alone.
    await start(3);
    await page.getByText('3 sessions', { exact: true }).first().waitFor();
    await live.first().getByRole('button').click();
    await page.getByText('2 sessions', { exact: true }).first().waitFor();

    await page.getByRole('button', { name: 'Log out all' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Log out all' }).click();
    await page.getByText(/Logged out everywhere in/).waitFor();
    await page.getByText('This account is not logged in anywhere.').last().waitFor();
    await owner.page.getByText('An administrator logged you out.').waitFor();
    expect(await owner.page.locator('.device').count()).toBe(0);
    expect(owner.complaints).toEqual([]);
    await owner.context.close();
    await page
      .getByRole('list', { name: 'History' })
      .getByText('logged out by an administrator')
      .first()
      .waitFor();
  });

  test('sessions selected by checkbox end; disabling, resetting and a new role end the user’s sessions', async () => {
    await Promise.all([start(4), start(4), start(4)]);
    await open('/admin/users/4');
    await page.getByText('3 sessions', { exact: true }).first().waitFor();
    const boxes = page.getByRole('list', { name: 'Logged in now' }).getByRole('checkbox');
    await boxes.nth(0).check();
    await boxes.nth(2).check();
    await page.getByRole('button', { name: 'Log out 2 selected' }).click();
    await page.getByText('2 sessions ended.').waitFor();
    await page.getByText('One session', { exact: true }).first().waitFor();

    await page.getByRole('button', { name: 'Disable' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Disable' }).click();
    await page.getByText('This account is not logged in anywhere.').last().waitFor();
    await page.locator('.badge', { hasText: 'Disabled' }).waitFor();
    await page.getByRole('button', { name: 'Enable' }).click();
    await page.getByRole('button', { name: 'Disable' }).waitFor();

    await start(4);
    await page.getByText('One session', { exact: true }).first().waitFor();
    await page.getByRole('button', { name: 'Reset the password' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Reset the password' }).click();
    const password = await dialog.getByRole('textbox').inputValue();
    expect(password).toHaveLength(20);
    await dialog.getByRole('button', { name: 'Close' }).click();
    await page.getByText('This account is not logged in anywhere.').last().waitFor();
    const login = await site.call('POST', '/v1/login', { body: { email: 'grace@example.com', password } });
    expect(login.status).toBe(200);
    await page.getByText('One session', { exact: true }).first().waitFor();

    await page.getByRole('button', { name: 'Change role' }).click();
    await dialog.getByRole('button', { name: 'Change role' }).click();
    await page.getByText('This account is not logged in anywhere.').last().waitFor();
    await page.locator('.badge', { hasText: 'Administrator' }).waitFor();
    await page.locator('summary', { hasText: 'Ended sessions' }).click();
    await page.getByText('role changed').first().waitFor();
  });

  test('more sessions than one page holds can all be reached, and the page says that there are more', async () => {
    const { json } = await site.call('POST', '/v1/admin/users', {
      bearer: SERVICE_KEY,
      body: { email: 'many@example.com', name: 'Many', password: NEW_PASSWORD },
    });
    const { id } = json.user;
    await start(id, { count: 205 });
    await start(id, { client_id: 'token' });
    await on(`/admin/users/${id}`);
    const live = page.getByRole('list', { name: 'Logged in now' }).getByRole('listitem');
    await page.getByText('200 sessions; there are more', { exact: true }).first().waitFor();
    expect(await live.count()).toBe(200);
    await page.getByRole('button', { name: 'Show more' }).click();
    await page.getByText('206 sessions', { exact: true }).first().waitFor();
    expect(await live.count()).toBe(206);
    expect(await page.getByRole('button', { name: 'Show more' }).count()).toBe(0);
    // Opened parts stay open when events arrive.
    await site.call('POST', '/v1/admin/logout', {
      bearer: SERVICE_KEY,
      body: { scope: 'client', client_id: 'token' },
    });
    await page.getByText('205 sessions', { exact: true }).first().waitFor();
    const history = page.getByRole('list', { name: 'History' });
    await history.getByText('the application token').waitFor();

    await page.getByLabel('Select all').check();
    await page.getByRole('button', { name: 'Log out 205 selected' }).click();
    await page.getByText('This account is not logged in anywhere.').last().waitFor();
    await page.locator('summary', { hasText: 'Ended sessions' }).click();
    const over = page.locator('.session.over');
    await over.first().waitFor();
    expect(await over.count()).toBe(100);
    for (const count of [200, 206]) {
      await page.getByRole('button', { name: 'Show more' }).click();
      await page.waitForFunction((n) => document.querySelectorAll('.session.over').length === n, count);
    }
    expect(await page.getByRole('button', { name: 'Show more' }).count()).toBe(0);
  });

  test('a name with markup and direction controls does no harm', async () => {
    await on('/admin/users/5');
    await page.getByRole('heading', { name: /img src/ }).waitFor();
    expect(await page.locator('main img').count()).toBe(0);
    expect(await page.locator('h1').textContent()).not.toContain('\u202e');
  });

  test('the log is live, can be paused, and can be exported', async () => {
    await on('/admin/log');
    await page.locator('.badge', { hasText: 'Live' }).waitFor();
    const events = page.getByRole('list', { name: 'Events, newest first' }).getByRole('listitem');
    await events.first().waitFor();
    const before = await events.count();
    await start(3, { client_id: 'shop' });
    await page.locator('.event.fresh', { hasText: 'shop' }).waitFor();
    expect(await events.count()).toBe(before + 1);

    await page.getByRole('button', { name: 'Pause' }).click();
    await start(3);
    await page.getByText('One new event waiting.').waitFor();
    expect(await events.count()).toBe(before + 1);
    await page.getByRole('button', { name: 'Resume' }).first().click();
    await page.getByText('One new event waiting.').waitFor({ state: 'detached' });
    expect(await events.count()).toBe(before + 2);

    await page.locator('summary', { hasText: 'Filters' }).click();
    await page.getByLabel('Application').fill('shop');
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    // The creation of the client is an event too.
    await page.waitForFunction(() => document.querySelectorAll('.event').length === 2);
    await start(4);
    await start(4, { client_id: 'shop' });
    await page.waitForFunction(() => document.querySelectorAll('.event').length === 3);
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'CSV' }).click(),
    ]);
    expect(download.suggestedFilename()).toBe('curfew-events.csv');
    const lines = (await text(await download.createReadStream())).trim().split('\r\n');
    expect(lines).toHaveLength(4);
    expect(lines[0]).toMatch(/^position,at,type/);
    const [second] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'JSON Lines' }).click(),
    ]);
    expect(second.suggestedFilename()).toBe('curfew-events.jsonl');
    const asJson = (await text(await second.createReadStream())).trim().split('\n');
    expect(asJson.map((line) => (JSON.parse(line) as { client_id: string }).client_id)).toEqual([
      'shop',
      'shop',
      'shop',
    ]);
  });

  test('an event that a second read of the log brings is marked as new', async () => {
    const own = await visit(browser);
    // The stream's events come late; and it opens before the log was read, so the log is read twice.
    await own.context.addInitScript(() => {
      window.EventSource = class extends EventSource {
        override set onmessage(listen: (event: MessageEvent) => void) {
          super.onmessage = (event) => setTimeout(() => listen.call(this, event), 3_600_000);
        }
      };
    });
    const started = Promise.withResolvers<void>();
    let reads = 0;
    await own.page.route(/\/v1\/admin\/events\?limit=/, async (route) => {
      if (++reads > 1) await started.promise;
      else await own.page.locator('.badge', { hasText: 'Live' }).waitFor();
      await route.continue();
    });
    await logIn(own.page, site.origin, ADMIN, '/admin/log');
    await own.page.locator('.event').first().waitFor();
    await start(3, { client_id: 'shop' });
    started.resolve();
    await own.page.locator('.event.fresh', { hasText: 'shop' }).waitFor();
    expect([reads, await own.page.locator('.event.fresh').count()]).toEqual([2, 1]);
    await own.context.close();
  });

  test('the system page names problems in plain words, and the times of logouts', async () => {
    const bearer = await start(4);
    await site.call('POST', '/v1/logout', { bearer });
    await open('/admin/state');
    await page
      .getByText(/embedded database runs without fsync|signing keys are stored unencrypted/)
      .waitFor();
    await page.locator('.chart canvas').waitFor();
    const table = page.getByRole('region', { name: 'Time until a logout is confirmed everywhere' });
    expect(await table.getByRole('row').count()).toBeGreaterThan(1);
    expect(await page.getByRole('region', { name: 'Nodes', exact: true }).textContent()).toContain(
      'this node',
    );
    await page.getByText('No verifier is connected to this node.').waitFor();
  });

  test('users without the role are refused plainly', async () => {
    const other = await visit(browser);
    await logIn(other.page, site.origin, undefined, '/admin/log');
    await other.page.getByRole('heading', { name: 'Administrators only' }).waitFor();
    expect(await other.page.getByRole('navigation', { name: 'Sections' }).count()).toBe(0);
    expect(other.complaints).toEqual([]);
    await other.context.close();
  });

  test('an application is logged out, then everyone by the number, the administrator included', async () => {
    await Promise.all([start(3, { client_id: 'shop' }), start(4, { client_id: 'shop' })]);
    await on('/admin');
    await page.getByRole('link', { name: 'Applications' }).click();
    await page.getByRole('button', { name: 'Log everybody out of The shop' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Log everybody out' }).click();
    await page.getByText(/sessions ended\./).waitFor();

    await start(2);
    await page.getByRole('button', { name: 'Log everyone out…' }).click();
    const dialog = page.getByRole('dialog');
    const sentence = await dialog.getByText(/\d+ sessions will end\./).textContent();
    const field = dialog.getByLabel('Type the number to continue');
    await field.fill('1');
    await dialog.getByRole('button', { name: 'Log everyone out' }).click();
    await dialog.getByText('The number does not match.').waitFor();
    await field.fill(/\d+/.exec(sentence ?? '')?.[0] ?? '');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'You are logged out' }).waitFor();
    expect(
      (await site.call('POST', '/v1/admin/logout', { bearer: SERVICE_KEY, body: { scope: 'everyone' } }))
        .json,
    ).toMatchObject({ code: 'confirmation_required', count: 0 });
    expect(await page.locator('.administration').count()).toBe(0);
    // The browser itself notes the answer that asks for the number.
    expect(admin.complaints.filter((one) => !/status of 409 /.test(one))).toEqual([]);
  });
});
