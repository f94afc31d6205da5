/** The run's Chromium; each test takes its own contexts. */
import { type Browser, chromium } from 'playwright-core';
import { inject } from 'vitest';
// Declares what the run provides.
import type {} from './global-setup.ts';

/** Whether this run has a Chromium: `describe.skipIf(!hasChromium())`. */
export function hasChromium(): boolean {
  return inject('chromium') !== undefined;
}

/** A line to it. Closing that closes the contexts that were opened over it, and nothing else. */
export async function openBrowser(): Promise<Browser> {
  const answer = await fetch(inject('chromium') as string);
  const said = await answer.text();
  if (!answer.ok) throw new Error(`Chromium did not start: ${said}`);
  return chromium.connect(said);
}
