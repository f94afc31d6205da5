/**
 * Ten tabs that all need a new token at the same moment, two hundred times in the long run, and the session survives. The back
 * end accepts a token once from each tab, so that each request needs a new one.
 */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasChromium, openBrowser } from '../../server/test/services/browser.ts';
import { budget } from '../../server/test/services/budget.ts';
import { SERVICE_KEY } from '../../server/test/support.ts';
import {
  heard,
  logIn,
  openStage,
  openTab,
  readable,
  sessionIn,
  type Stage,
  withoutNewApis,
} from './stage.ts';

const ROUNDS = budget('STORM_ROUNDS');
/** In tabs and rounds, for the way that old browsers have. */
const FEW = Math.min(10, ROUNDS);
const OPTIONS = { mode: 'bearer', storage: 'local', notices: false } as const;

interface Stormed {
  taken: number;
  refused: number;
}

describe.skipIf(!hasChromium())('a storm of refreshes', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser?.close());

  /** A stage whose back end takes each token once from each tab. */
  async function openDemanding(settings: Record<string, string>): Promise<Stage> {
    const stage = await openStage(settings);
    const shown = new Set<string>();
    stage.api = (req, res) => {
      const what = `${String(req.headers['x-tab'])} ${String(req.headers.authorization)}`;
      const isNew = !shown.has(what);
      shown.add(what);
      if (!isNew || !what.includes('Bearer ')) return void res.writeHead(401).end();
      // Checked for signature and expiry.
      void stage.on
        .call('GET', '/v1/check', { bearer: what.split('Bearer ')[1] ?? '' })
        .then(({ status }) => res.writeHead(status).end());
    };
    return stage;
  }

  const storm = (tab: Page, nth: number, rounds: number): Promise<Stormed> =>
    tab.evaluate(
      async ([name, count]) => {
        const result = { taken: 0, refused: 0 };
        for (let round = 0; round < count; round++) {
          const { status } = await window.client.fetch('/api', { headers: { 'x-tab': name } });
          if (status === 200) result.taken++;
          else result.refused++;
        }
        return result;
      },
      [String(nth), rounds] as const,
    );
  /** The same until it hears of a logout, and a little further. */
  const stormOn = (tab: Page, nth: number): Promise<void> =>
    tab.evaluate(async (name) => {
      for (let after = 0; after < 3; after += window.heard.length > 0 ? 1 : 0)
        await window.client.fetch('/api', { headers: { 'x-tab': name } });
    }, String(nth));

  describe.each([
    // Without any grace a single token that is sent twice would end the session.
    [
      'Web Locks, and a server that forgives nothing',
      false,
      10,
      ROUNDS,
      { CURFEW_REFRESH_GRACE_SECONDS: '0' },
    ],
    ['a lease in localStorage', true, FEW, FEW, {}],
  ])('with %s', (_, old, count, rounds, settings) => {
    let stage: Stage;
    beforeAll(async () => {
      stage = await openDemanding(settings);
    });
    afterAll(() => stage?.close());

    test(`${count} tabs, ${rounds} times each`, { tags: 'long', timeout: 600_000 }, async () => {
      const context = await browser.newContext();
      if (old) await withoutNewApis(context);
      const tabs = await Promise.all(
        Array.from({ length: count }, () => openTab(context, stage.origin, OPTIONS)),
      );
      const sid = await logIn(tabs[0] as Page);
      for (const tab of tabs) await expect.poll(() => sessionIn(tab)).toBe(sid);
      stage.requests.length = 0;
      const started = performance.now();
      const results = await Promise.all(tabs.map((tab, nth) => storm(tab, nth, rounds)));
      const ms = performance.now() - started;
      const refreshes = stage.count('POST /v1/refresh');
      console.log(`${count * rounds} new tokens needed, ${refreshes} refreshes, ${Math.round(ms)} ms`);
      expect(results).toEqual(results.map(() => ({ taken: rounds, refused: 0 })));
      // One token for all ten when they need it at once: the second tab takes the first one's.
      expect(refreshes).toBeGreaterThanOrEqual(rounds - 1);
      expect(refreshes).toBeLessThan(old ? count * rounds : 2 * rounds);
      for (const tab of tabs) {
        expect(await heard(tab)).toEqual([]);
        expect(await sessionIn(tab)).toBe(sid);
      }

      // And a logout in the middle of it is one: no tab brings the session back.
      stage.requests.length = 0;
      const storms = tabs.slice(1).map((tab, nth) => stormOn(tab, nth + 1));
      await expect.poll(() => stage.count('POST /v1/refresh')).toBeGreaterThan(1);
      const out = await (tabs[0] as Page).evaluate(() => window.client.logout());
      expect(out).toMatchObject({ server: 'done', ended: 1 });
      await Promise.all(storms);
      for (const tab of tabs) {
        expect(await sessionIn(tab)).toBe(null);
        expect(await heard(tab)).toHaveLength(1);
        expect(await readable(tab)).not.toMatch(/eyJ|rt_/);
      }
      const { json } = await stage.on.call('GET', '/v1/admin/sessions?user_id=2', { bearer: SERVICE_KEY });
      expect(json).toMatchObject({ sessions: [] });
      await context.close();
    });
  });
});
