/** The administration for whoever sees little, or works with a screen reader: axe, in both themes. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { besidesTheQuestion, furnish, walk } from './administration-walk.ts';
import { CHROMIUM, openBrowser, openSite, type Site, visit } from './site.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface AxeResult {
  violations: { id: string; nodes: { html: string; failureSummary?: string }[] }[];
}

/** What axe finds on the page as it stands, one line each. */
async function faults(page: Page): Promise<string[]> {
  await page.evaluate(() =>
    Promise.allSettled(document.getAnimations().map((animation) => animation.finished)),
  );
  const { violations } = await page.evaluate(() =>
    (globalThis as unknown as { axe: { run: (options: object) => Promise<AxeResult> } }).axe.run({
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    }),
  );
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
  );
}

describe.skipIf(CHROMIUM === undefined)('the administration', () => {
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

  test.each([
    ['light', 1100],
    ['dark', 360],
  ] as const)('axe finds nothing, %s', { timeout: 240_000 }, async (colorScheme, width) => {
    // Only so that axe can be brought in: the policy forbids it.
    const { page, context, complaints } = await visit(browser, {
      bypassCSP: true,
      colorScheme,
      viewport: { width, height: 740 },
    });
    await context.addInitScript({ content: AXE });
    const found: string[] = [];
    await walk(site, page, async (where) => {
      found.push(...(await faults(page)).map((fault) => `${where}: ${fault}`));
    });
    expect(found).toEqual([]);
    expect(besidesTheQuestion(complaints)).toEqual([]);
    await context.close();
  });
});
