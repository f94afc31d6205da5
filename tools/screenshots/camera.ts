import type { BrowserContext, Page } from 'playwright-core';

export interface Look {
  name: string;
  colorScheme: 'light' | 'dark';
  width: number;
  height: number;
}

/** A browser that is looked at. */
export interface Camera {
  origin: string;
  context: BrowserContext;
  page: Page;
  look: Look;
  /** @param whole the page to its end, and not only what is seen first */
  take(name: string, whole?: boolean): Promise<void>;
}
