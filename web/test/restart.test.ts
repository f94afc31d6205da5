/** Open pages during a server restart: they recover, and miss nothing. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hasChromium, openBrowser } from '../../packages/server/test/services/browser.ts';
import { SERVICE_KEY } from '../../packages/server/test/support.ts';
import { ADMIN, anew, logIn, openSite, type Site, visit, type Visitor } from './site.ts';

describe.skipIf(!hasChromium())('a server restart under open pages', () => {
  let site: Site;
  let browser: Browser;
  let mine: Visitor;
  beforeAll(async () => {
    [site, browser] = await Promise.all([openSite(), openBrowser()]);
    mine = await visit(browser);
  });
  beforeEach(() => anew(mine));
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  /** All errors except those that the browser itself logs about an absent server, for the API. */
  const besidesTheOutage = ({ complaints }: Pick<Visitor, 'complaints'>): string[] => {
    const noted = /^Failed to load resource: net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE) /;
    // A socket opened meanwhile has its own error text.
    const socket = `WebSocket connection to '${site.origin.replace('http', 'ws')}/v1/notices' failed: Error in connection establishment: net::ERR_CONNECTION_`;
    return complaints.filter(
      (one) => !one.startsWith(socket) && !(noted.test(one) && one.includes(` (${site.origin}/v1/`)),
    );
  };
  const nobody = (): Promise<unknown> =>
    site.call('POST', '/v1/admin/logout', { bearer: SERVICE_KEY, body: { scope: 'user', user_id: 2 } });
  const start = async (userId: number): Promise<string> =>
    (await site.call('POST', '/v1/admin/sessions', { bearer: SERVICE_KEY, body: { user_id: userId } })).json
      .access_token;

  test('my devices: sessions that ended meanwhile are gone, and an ended session is told why', async () => {
    const [stays, ends] = [mine, await visit(browser)];
    await logIn(stays.page, site.origin);
    await logIn(ends.page, site.origin);
    const phone = await start(2);
    await stays.page.getByText('You are logged in on 3 devices.').waitFor();
    await ends.page.getByText('You are logged in on 3 devices.').waitFor();

    await site.stop();
    await site.start(async ({ call }) => {
      const { json } = await call('GET', '/v1/sessions', { bearer: phone });
      const sessions: { id: string; current: boolean; created_at: string }[] = json.sessions;
      const newest = sessions
        .filter(({ current }) => !current)
        .toSorted((a, b) => (a.created_at < b.created_at ? 1 : -1))[0];
      const out = await call('POST', '/v1/logout', {
        bearer: phone,
        body: { scope: 'selected', sessions: [newest?.id] },
      });
      expect([out.status, out.json.ended]).toEqual([200, 1]);
    });
    await ends.page.getByText('You were logged out from another of your devices.').waitFor();
    expect(await ends.page.locator('.device').count()).toBe(0);
    await stays.page.getByText('You are logged in on 2 devices.').waitFor();
    expect(await stays.page.getByRole('alert').count()).toBe(0);
    // And it is live again.
    expect((await site.call('POST', '/v1/logout', { bearer: phone })).status).toBe(200);
    await stays.page.getByText('You are logged in on one device.').waitFor();
    expect([...besidesTheOutage(stays), ...besidesTheOutage(ends)]).toEqual([]);
    await ends.context.close();
  });

  test('the administration: log, user and system continue, with the events of the outage', async () => {
    await nobody();
    const admin = mine;
    const log = admin.page;
    await logIn(log, site.origin, ADMIN, '/admin/log');
    const [user, state] = await Promise.all([admin.context.newPage(), admin.context.newPage()]);
    await user.goto(`${site.origin}/admin/users/2`);
    await state.goto(`${site.origin}/admin/state`);
    const [first, second] = [await start(2), await start(2)];
    await log.locator('.event.fresh').nth(1).waitFor();
    await user.getByText('2 sessions', { exact: true }).first().waitFor();
    const seen = state.getByText(/^Reported by node /);
    await seen.waitFor();
    const node = /node (\S+),/.exec((await seen.textContent()) ?? '')?.[1];

    await site.stop();
    await log.locator('.badge', { hasText: 'Connecting…' }).waitFor();
    await state.getByText('The server cannot be reached. This page may be out of date.').waitFor();
    // Known data stays visible.
    expect(await log.locator('.event').count()).toBeGreaterThan(1);
    expect(await state.locator('.tile').count()).toBe(5);
    await site.start(async ({ call }) => {
      expect((await call('POST', '/v1/logout', { bearer: first })).status).toBe(200);
    });

    await log.locator('.badge', { hasText: 'Live' }).waitFor();
    await log.locator('.event.ending.fresh', { hasText: 'user 2' }).waitFor();
    await user.getByText('One session', { exact: true }).first().waitFor();
    await state
      .getByText('The server cannot be reached. This page may be out of date.')
      .waitFor({ state: 'detached' });
    await expect.poll(() => seen.textContent()).not.toContain(`node ${node}`);
    // Live, and each event once.
    expect((await site.call('POST', '/v1/logout', { bearer: second })).status).toBe(200);
    await user.getByText('This account is not logged in anywhere.').last().waitFor();
    await expect.poll(() => log.locator('.event.ending.fresh', { hasText: 'user 2' }).count()).toBe(2);
    const positions = await log.locator('.event .about').allTextContents();
    expect(new Set(positions.map((text) => /#\d+$/.exec(text)?.[0])).size).toBe(positions.length);
    for (const page of [log, user, state]) expect(await page.getByRole('alert').count()).toBe(0);
    expect(besidesTheOutage(admin)).toEqual([]);
    await Promise.all([user.close(), state.close()]);
  });

  test('pages that found no server at first show themselves when it is back', async () => {
    const { page, complaints } = mine;
    await logIn(page, site.origin, ADMIN, '/healthz');
    for (const [path, fault, heading] of [
      ['/devices', 'Your devices could not be loaded.', /This device/],
      ['/admin/users/2', 'This page could not be loaded. Try again.', 'Demo User'],
    ] as const) {
      // The page has come, its questions do not arrive.
      await page.route('**/v1/**', (route) => route.abort('connectionrefused'));
      await page.goto(site.origin + path);
      await page.getByText(fault).waitFor();
      await page.unroute('**/v1/**');
      await page.getByRole('heading', { name: heading }).waitFor();
      expect(await page.getByRole('alert').count()).toBe(0);
    }
    expect(besidesTheOutage({ complaints })).toEqual([]);
  });

  test('events during a lost stream are not missed, nor shown while it is paused', async () => {
    const { page, complaints } = mine;
    await page.route('**/v1/admin/events', (route) => route.fulfill({ status: 503 }));
    await logIn(page, site.origin, ADMIN, '/admin/log');
    const events = page.locator('.event');
    await events.first().waitFor();
    await page.getByRole('button', { name: 'Pause' }).click();
    const before = await events.count();
    await start(2);
    await page.unroute('**/v1/admin/events');
    await page.getByText('One new event waiting.').waitFor();
    expect(await events.count()).toBe(before);
    await page.getByRole('button', { name: 'Resume' }).first().click();
    await events.nth(before).waitFor();
    expect(complaints.filter((one) => !/status of 503 .*\/v1\/admin\/events/.test(one))).toEqual([]);
  });
});
