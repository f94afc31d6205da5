import type { Browser, BrowserContext, Page } from 'playwright-core';

export interface Look {
  name: string;
  colorScheme: 'light' | 'dark';
  width: number;
  height: number;
}

/** A browser that takes pictures. */
export interface Camera {
  origin: string;
  context: BrowserContext;
  page: Page;
  look: Look;
  /** @param whole the whole page, and not only its visible part */
  take(name: string, whole?: boolean): Promise<void>;
}

/** The same font on every machine that has it: "system-ui" differs. */
export const FONTS = 'Liberation Sans, Noto Sans CJK SC, sans-serif';

interface Setting {
  origin: string;
  locale: string;
  look: Look;
  agent?: string;
  /** Where a picture goes. */
  keep: (name: string, png: Buffer) => void;
}

export async function openCamera(
  browser: Browser,
  { origin, locale, look, agent, keep }: Setting,
): Promise<Camera> {
  const context = await browser.newContext({
    locale,
    colorScheme: look.colorScheme,
    reducedMotion: 'reduce',
    viewport: { width: look.width, height: look.height },
    ...(agent === undefined ? {} : { userAgent: agent }),
  });
  await context.addInitScript(`addEventListener('DOMContentLoaded', () =>
    document.documentElement.style.setProperty('--curfew-font', ${JSON.stringify(FONTS)}));`);
  const page = await context.newPage();
  return {
    origin,
    context,
    page,
    look,
    take: async (name, whole = false) => {
      // The pointer is over nothing.
      await page.mouse.move(0, 0);
      await page.evaluate('document.fonts.ready.then(() => true)');
      keep(name, await page.screenshot({ fullPage: whole }));
    },
  };
}
