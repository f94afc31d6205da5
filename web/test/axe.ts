/** What the look tests check on a page, in any state. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface Axe {
  run: (
    within: ParentNode,
    options: object,
  ) => Promise<{
    violations: { id: string; nodes: { html: string; failureSummary?: string }[] }[];
  }>;
}

/** Axe's findings on the page, one line each. */
async function faults(page: Page): Promise<string[]> {
  // Movements end first: half faded in, a text has half its contrast. One that is taken away ends as well. The end of one may begin
  // another: a colour passes from an element to those within it.
  const isThere = await page.evaluate(async () => {
    for (let quiet = 0; quiet < 3; quiet++) {
      await new Promise(requestAnimationFrame);
      const moving = document.getAnimations();
      if (moving.length > 0) quiet = 0;
      await Promise.allSettled(moving.map((animation) => animation.finished));
    }
    return 'axe' in globalThis;
  });
  if (!isThere) await page.evaluate(AXE);
  // The page under a dialog was examined before. Only findings leave the page: the whole report is large.
  return page.evaluate(async () => {
    const { violations } = await (globalThis as unknown as { axe: Axe }).axe.run(
      document.querySelector('dialog[open]') ?? document,
      {
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
        resultTypes: ['violations'],
      },
    );
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
    );
  });
}

const LOOKS = [
  ['light', 1100],
  ['dark', 320],
] as const;

/**
 * The variants of a walk through all pages, the most different first. Two of them run axe, which examines each place in one theme
 * and width in turn; the second begins with the other one, so that together they examine each place in both.
 */
export const WALKS = [
  ['pl-PL', 0],
  ['zh-CN', null],
  ['en-GB', 1],
  ['vi-VN', null],
] as const;

/** Axe's findings on the page, in one theme and width in turn. Leaves the page as it was. */
export async function faultsByTurns(page: Page, turn: number): Promise<string[]> {
  const [colorScheme, width] = LOOKS[turn % 2] ?? LOOKS[0];
  const size = page.viewportSize();
  await page.emulateMedia({ colorScheme });
  if (size?.width !== width) await page.setViewportSize({ width, height: 740 });
  const found = (await faults(page)).map((fault) => `${colorScheme}, ${width} px: ${fault}`);
  if (size && size.width !== width) await page.setViewportSize(size);
  return found;
}

/** How wide the page is on a screen of 320 px. */
export function widthOf(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth);
}
