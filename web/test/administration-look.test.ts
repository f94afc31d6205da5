/** How the administration looks in each language, on a small screen and with enough contrast, and how large it is. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasChromium, openBrowser } from '../../packages/server/test/services/browser.ts';
import { variants } from '../../packages/server/test/services/budget.ts';
import { faultsByTurns, WALKS, widthOf } from './axe.ts';
import { besidesTheQuestion, furnish, walk } from './administration-walk.ts';
import { openSite, type Site, visit } from './site.ts';

const BUILT = new URL('../../packages/server/assets/web/', import.meta.url);

describe.skipIf(!hasChromium())('the administration', () => {
  let site: Site;
  let browser: Browser;
  beforeAll(async () => {
    [site, browser] = await Promise.all([openSite(), openBrowser()]);
    await furnish(site);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  test.each(variants(WALKS))(
    '%s: whole on a screen of 320 px, nothing is left in English, and axe finds nothing in either theme (turn %s)',
    { tags: 'long' },
    async (locale, first) => {
      const { page, context, complaints } = await visit(browser, {
        locale,
        viewport: { width: 320, height: 640 },
      });
      const found: string[] = [];
      let text = '';
      let turn: number | null = first;
      await walk(site, page, async (where) => {
        const width = await widthOf(page);
        if (width > 320) found.push(`${where}: ${width} px wide`);
        text += await page.locator('body').innerText();
        if (turn !== null)
          found.push(...(await faultsByTurns(page, turn++)).map((fault) => `${where}, ${fault}`));
      });
      expect(found).toEqual([]);
      if (locale !== 'en-GB')
        expect(text).not.toMatch(/\b(logged|sessions|ended|password|you|after|this)\b/i);
      expect(besidesTheQuestion(complaints)).toEqual([]);
      await context.close();
    },
  );

  test('the script is under 150 KB, compressed, in every language', () => {
    const { pages, languages } = JSON.parse(readFileSync(new URL('pages.json', BUILT), 'utf8'));
    const { script, modules } = pages.administration;
    const sizeOf = (file: string): number => {
      const compressed = readFileSync(new URL(`${file}.gz`, BUILT));
      expect(gunzipSync(compressed).length).toBeGreaterThan(0);
      return compressed.length;
    };
    const scripts = [script, ...modules].reduce((sum: number, file: string) => sum + sizeOf(file), 0);
    for (const language of Object.values<{ files: { administration: string } }>(languages))
      expect(scripts + sizeOf(language.files.administration)).toBeLessThan(150 * 1024);
    // The users' pages contain none of it.
    const { modules: others } = pages.devices;
    expect(others.some((file: string) => /administration|uplot/i.test(file))).toBe(false);
  });
});
