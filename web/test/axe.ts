/** What the tests of the looks ask of a page, in whatever state it stands. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface AxeResult {
  violations: { id: string; nodes: { html: string; failureSummary?: string }[] }[];
}

/** What axe finds on the page as it stands, one line each. */
async function faults(page: Page): Promise<string[]> {
  // Movements end first: half faded in, a text has half its contrast. One that is taken away ends as well.
  await page.evaluate(() =>
    Promise.allSettled(document.getAnimations().map((animation) => animation.finished)),
  );
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(AXE);
  const { violations } = await page.evaluate(() =>
    (globalThis as unknown as { axe: { run: (options: object) => Promise<AxeResult> } }).axe.run({
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    }),
  );
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
  );
}

const LOOKS = [
  ['light', 1100],
  ['dark', 360],
] as const;

/** What axe finds on the page in both themes, on a wide screen and on a small one. Leaves the page as it was. */
export async function faultsInBothThemes(page: Page): Promise<string[]> {
  const found: string[] = [];
  const size = page.viewportSize();
  for (const [colorScheme, width] of LOOKS) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 740 });
    found.push(...(await faults(page)).map((fault) => `${colorScheme}, ${width} px: ${fault}`));
  }
  await page.emulateMedia({ colorScheme: null });
  if (size) await page.setViewportSize(size);
  return found;
}

/** How wide the page is on a screen of 320 px. */
export function widthOf(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth);
}
