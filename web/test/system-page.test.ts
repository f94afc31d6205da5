/** The system page while Redis goes and returns and a verifier falls silent. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasChromium, openBrowser } from '../../packages/server/test/services/browser.ts';
import { follow } from '../../packages/server/test/http/following.ts';
import { opened } from '../../packages/server/test/http/logins.ts';
import { findRedis, type RedisServer, startRedis } from '../../packages/server/test/services/redis.ts';
import { SERVICE_KEY } from '../../packages/server/test/support.ts';
import { requireService } from '../../packages/server/test/services/require.ts';
import { hear, listenAloud } from './keyboard.ts';
import { ADMIN, logIn, openSite, type Site, visit } from './site.ts';

const present = requireService('Redis', findRedis(), 'install redis-server') !== undefined;
const WELL = 'Everything works normally.';
const REDIS_AWAY =
  'Redis does not answer. Logouts continue without it. Cached profiles are read from the database.';

describe.skipIf(!hasChromium() || !present)('the system page', () => {
  let redis: RedisServer;
  let site: Site;
  let browser: Browser;
  beforeAll(async () => {
    redis = await startRedis();
    [site, browser] = await Promise.all([openSite({ REDIS_URL: redis.url }), openBrowser()]);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
    await redis?.stop();
  });

  test('shows Redis go away and come back', async () => {
    const { page, context, complaints } = await visit(browser);
    await listenAloud(context);
    await logIn(page, site.origin, ADMIN, '/admin/state');
    const tile = page.locator('.tile', { hasText: 'Redis' }).locator('dd');
    await expect.poll(() => tile.textContent()).toBe('answers');
    await page.getByText(WELL).first().waitFor();
    await hear(page, WELL);
    await redis.kill();
    await page.locator('.notice.bad', { hasText: REDIS_AWAY }).waitFor();
    expect(await tile.textContent()).toBe('does not answer');
    await hear(page, REDIS_AWAY);
    await redis.restart();
    await page.locator('.notice.good', { hasText: WELL }).waitFor();
    await expect.poll(() => tile.textContent()).toBe('answers');
    await hear(page, WELL);
    expect(complaints).toEqual([]);
    await context.close();
  });

  test('shows a verifier connect, its age, its silence, and its end', async () => {
    const { page, context, complaints } = await visit(browser);
    await listenAloud(context);
    await logIn(page, site.origin, ADMIN, '/admin/state');
    await page.getByText('No verifier is connected to this node.').waitFor();
    const body = { name: 'Shop back end', scopes: ['verify'] };
    const { secret } = (await site.call('POST', '/v1/admin/api-keys', { bearer: SERVICE_KEY, body })).json;
    const verifier = follow(`${site.origin.replace(/^http/, 'ws')}/v1/feed`, undefined, secret);
    const row = page
      .getByRole('region', { name: 'Verifiers connected to this node' })
      .getByRole('row', { name: /a-verifier · Shop back end \(key:1\) · / });
    await row.waitFor();
    const age = row.getByRole('cell').nth(1);
    await expect.poll(() => age.textContent()).toMatch(/^[\d.]+ ms$/);
    verifier.mute();
    const stale = 'Verifiers with data older than the lease: 1. They ask the authority for each request.';
    await page.locator('.notice.bad', { hasText: stale }).waitFor();
    await expect.poll(() => age.textContent()).toMatch(/^[\d.]+ sec$/);
    await hear(page, stale);
    verifier.ws.terminate();
    await page.getByText('No verifier is connected to this node.').waitFor();
    await hear(page, WELL);
    expect(complaints).toEqual([]);
    await context.close();
  });

  test('shows logouts in the chart and in the table beside it, without a reload', async () => {
    const logOutOne = async (): Promise<void> => {
      const { bearer } = await opened(site.call, 2);
      expect((await site.call('POST', '/v1/logout', { bearer })).json.confirmed).toBe(true);
    };
    await logOutOne();
    const { page, context, complaints } = await visit(browser);
    await logIn(page, site.origin, ADMIN, '/admin/state');
    const part = page.locator('.part', { hasText: 'Time until a logout is confirmed everywhere' });
    const confirmed = async (): Promise<number> => {
      const cells = await part.locator('tbody tr td:nth-child(2)').allTextContents();
      return cells.reduce((sum, cell) => sum + Number(cell), 0);
    };
    const chart = part.locator('canvas');
    await chart.waitFor();
    const drawn = (): Promise<string> => chart.evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
    // The first status may be one of before: the server keeps it for half a second.
    const { text } = await site.call('GET', '/metrics', { bearer: SERVICE_KEY });
    const before = Number(/^curfew_confirmation_seconds_count (\d+)$/m.exec(text)?.[1]);
    await expect.poll(confirmed).toBe(before);
    const empty = await drawn();
    for (let i = 0; i < 3; i++) await logOutOne();
    await expect.poll(confirmed).toBe(before + 3);
    await expect.poll(drawn).not.toBe(empty);
    expect(complaints).toEqual([]);
    await context.close();
  });
});
