/** The common part of the keyboard tests: a user without a mouse, and one with a screen reader. */
import type { BrowserContext, Page } from 'playwright-core';
import { expect } from 'vitest';

declare global {
  interface Window {
    /** The announcements since the last one that was waited for, each with what had the focus then. */
    saidAloud: { text: string; focus: string }[];
    focusName: () => string;
  }
}

/**
 * Records announcements: the text of a live region when it changes, and of a focused element that is no control. Elements under
 * an open dialog are not read.
 */
export async function listenAloud(context: BrowserContext): Promise<void> {
  await context.addInitScript(() => {
    window.saidAloud = [];
    window.focusName = () => {
      const at = document.activeElement;
      if (!at || at === document.body) return '(nothing)';
      const label = at instanceof HTMLInputElement || at instanceof HTMLSelectElement ? at.labels?.[0] : null;
      return (at.getAttribute('aria-label') ?? label?.textContent ?? at.textContent)
        .replace(/\s+/g, ' ')
        .trim();
    };
    const say = (element: Element): void => {
      const dialog = document.querySelector('dialog:modal');
      const text = element.textContent.replace(/\s+/g, ' ').trim();
      if (text !== '' && (!dialog || dialog.contains(element)))
        window.saidAloud.push({ text, focus: window.focusName() });
    };
    const LIVE = '[role=status], [role=alert], [aria-live=polite], [aria-live=assertive]';
    new MutationObserver((records) => {
      const regions = new Set<Element>();
      for (const { target, addedNodes } of records) {
        const around = (target instanceof Element ? target : target.parentElement)?.closest(LIVE);
        if (around) regions.add(around);
        for (const node of addedNodes)
          if (node instanceof Element)
            for (const one of node.matches(LIVE) ? [node] : node.querySelectorAll(LIVE)) regions.add(one);
      }
      for (const region of regions) if (region.isConnected) say(region);
    }).observe(document, { subtree: true, childList: true, characterData: true });
    document.addEventListener('focusin', ({ target }) => {
      if (target instanceof HTMLElement && target.tabIndex === -1) say(target);
    });
  });
}

/** Waits for an announcement, and clears the record. @returns the name of what had the focus when it was announced */
export async function hear(page: Page, sentence: string | RegExp): Promise<string> {
  const wanted = sentence instanceof RegExp ? { pattern: sentence.source } : { text: sentence };
  let focus = '';
  await expect
    .poll(async () => {
      // At once, so that what is announced later stays in the record.
      const { said, heard } = await page.evaluate(({ text, pattern }) => {
        const all = window.saidAloud;
        const one = all.find((each) =>
          pattern === undefined ? each.text === text : new RegExp(pattern).test(each.text),
        );
        if (one) window.saidAloud = [];
        return { said: all.map((each) => each.text), heard: one };
      }, wanted);
      focus = heard?.focus ?? '';
      return said;
    })
    .toContainEqual(sentence instanceof RegExp ? expect.stringMatching(sentence) : sentence);
  return focus;
}

/** The name of the focused element. */
export function focused(page: Page): Promise<string> {
  return page.evaluate(() => window.focusName());
}

/** Goes to a link and follows it. @returns the class of what has the focus before the browser does anything else */
export async function followAtOnce(page: Page, name: string, back = false): Promise<string> {
  await tabTo(page, name, back);
  return page.evaluate(async () => {
    (document.activeElement as HTMLElement).click();
    for (let i = 0; i < 10; i++) await Promise.resolve();
    return document.activeElement?.className ?? '';
  });
}

/** Elements above, or at the end of a long list, are nearer with Shift. */
export const pressBack = (page: Page, name: string): Promise<void> => press(page, name, 'Enter', true);

/** Presses Tab until the element with this name has the focus. */
export async function tabTo(page: Page, name: string, back = false): Promise<void> {
  const passed: string[] = [];
  for (let i = 0; i < 90; i++) {
    const at = await focused(page);
    if (at === name) {
      const outline = await page.evaluate(
        () => getComputedStyle(document.activeElement as Element).outlineStyle,
      );
      expect(outline, `the focus on "${name}" can be seen`).not.toBe('none');
      return;
    }
    passed.push(at);
    await page.keyboard.press(back ? 'Shift+Tab' : 'Tab');
  }
  throw new Error(`the keyboard does not reach "${name}", only ${JSON.stringify([...new Set(passed)])}`);
}

/** Goes there and presses it; afterwards the focus is somewhere. */
export async function press(page: Page, name: string, key = 'Enter', back = false): Promise<void> {
  await tabTo(page, name, back);
  await page.keyboard.press(key);
}

/** The focus stays where one works: it has not fallen back to the beginning of the page. */
export async function keepsFocus(page: Page): Promise<void> {
  // The focus may move a moment after the act.
  await expect.poll(() => focused(page)).not.toBe('(nothing)');
}
