/** The README's program, run in a page, and its output. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasChromium, openBrowser } from '../../server/test/services/browser.ts';
import { openStage, type Stage } from './stage.ts';

describe.skipIf(!hasChromium())('the README', () => {
  let browser: Browser;
  let stage: Stage;
  beforeAll(async () => {
    [browser, stage] = await Promise.all([openBrowser(), openStage()]);
  });
  afterAll(async () => {
    await browser?.close();
    await stage?.close();
  });

  test('the program prints what the README says', async () => {
    const readme = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8');
    const [, script = '', printed = ''] =
      /^```js run\n([\s\S]*?)^```\n\n```text\n([\s\S]*?)^```$/m.exec(readme) ?? [];
    expect(script).toContain("from '@curfew/client'");
    stage.files['/readme.js'] = script.replace("'@curfew/client'", "'/client.js'");
    stage.files['/readme'] =
      '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/readme.js"></script>';
    const page = await browser.newPage();
    const lines: string[] = [];
    page.on('console', (message) => {
      // The first question about a session is answered 401, and the browser logs that.
      if (!message.text().includes('status of 401')) lines.push(message.text());
    });
    page.on('pageerror', (error) => lines.push(String(error)));
    await page.goto(`${stage.origin}/readme`);
    await expect.poll(() => lines.join('\n')).toBe(printed.trimEnd());
  });
});
