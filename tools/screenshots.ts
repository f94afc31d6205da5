/**
 * Takes the pictures of the pages into docs/screenshots: `npm run screenshots`. Needs Chromium, and a font with Chinese
 * characters (fonts-noto-cjk) for the Chinese ones.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import pino from 'pino';
import { createAuthority } from '../packages/server/src/authority.ts';
import { findChromium } from '../packages/server/test/services/chromium.ts';
import { buildStalePages } from './build-pages.ts';
import { administration } from './screenshots/administration.ts';
import { people } from './screenshots/people.ts';
import type { Camera, Look } from './screenshots/camera.ts';

const folder = join(import.meta.dirname, '..', 'docs', 'screenshots');
const LOOKS: Look[] = [
  { name: 'light-wide', colorScheme: 'light', width: 1040, height: 720 },
  { name: 'dark-wide', colorScheme: 'dark', width: 1040, height: 720 },
  { name: 'light-narrow', colorScheme: 'light', width: 360, height: 720 },
  { name: 'dark-narrow', colorScheme: 'dark', width: 360, height: 720 },
];
const LANGUAGES = { en: 'en-GB', pl: 'pl-PL', vi: 'vi-VN', zh: 'zh-CN' };

/** The same letters on every machine that has them: what "system-ui" is differs. */
const FONTS = 'Liberation Sans, Noto Sans CJK SC, sans-serif';

const scratch = mkdtempSync(join(tmpdir(), 'curfew-screenshots-'));
try {
  await buildStalePages();
  await takeAll();
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

async function takeAll(): Promise<void> {
  const program = findChromium();
  if (program === undefined) throw new Error('there is no Chromium: set CHROMIUM to its path');
  let listener: RequestListener = (_req, res) => void res.end();
  const server = createServer((req, res) => listener(req, res));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const origin = `http://localhost:${port}`;
  const authority = await createAuthority({
    settings: { CURFEW_DATA: join(scratch, 'data'), CURFEW_ISSUER: origin, PORT: String(port) },
    log: pino({ level: 'silent' }),
  });
  listener = authority.listener;
  server.on('upgrade', authority.upgrade);
  const browser = await chromium.launch({
    executablePath: program,
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });
  try {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    for (const [language, locale] of Object.entries(LANGUAGES))
      for (const look of LOOKS) {
        // Every picture in English; in the others the two ends of what there is.
        const all = language === 'en';
        if (!all && look.name !== 'light-wide' && look.name !== 'dark-narrow') continue;
        const camera = await openCamera(browser, origin, language, locale, look);
        await people(camera, all);
        await camera.context.close();
        const office = await openCamera(browser, origin, language, locale, look);
        await administration(office, all);
        await office.context.close();
      }
  } finally {
    await browser.close();
    authority.hangUp();
    server.closeAllConnections();
    server.close();
    await authority.close();
  }
}

async function openCamera(
  browser: Browser,
  origin: string,
  language: string,
  locale: string,
  look: Look,
): Promise<Camera> {
  const context = await browser.newContext({
    locale,
    colorScheme: look.colorScheme,
    reducedMotion: 'reduce',
    viewport: { width: look.width, height: look.height },
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
      await page.evaluate('document.fonts.ready.then(() => true)');
      await page.screenshot({ path: join(folder, `${name}-${look.name}-${language}.png`), fullPage: whole });
    },
  };
}
