/**
 * Takes the pictures of the pages into docs/screenshots: `npm run screenshots`. One sheet has all pages of one look, and each page that the
 * documentation shows also has a picture of its own. `npm run screenshots -- <folder>` writes a picture of every page to that folder too.
 * Needs Chromium, and a font with Chinese characters (fonts-noto-cjk) for the Chinese ones.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createVerifier } from '@curfew/verifier';
import { type Browser, chromium } from 'playwright-core';
import pino from 'pino';
import { createAuthority } from '../packages/server/src/authority.ts';
import { findChromium } from '../packages/server/test/services/chromium.ts';
import { buildStalePages } from './build-pages.ts';
import { administration, populate } from './screenshots/administration.ts';
import { type Camera, FONTS, type Look, openCamera } from './screenshots/camera.ts';
import { people } from './screenshots/people.ts';
import { series } from './screenshots/series.ts';
import { type Shot, sheet } from './screenshots/sheet.ts';

const folder = join(import.meta.dirname, '..', 'docs', 'screenshots');
const everySingle = process.argv[2];
const LOOKS: Look[] = [
  { name: 'light-wide', colorScheme: 'light', width: 1040, height: 720 },
  { name: 'dark-wide', colorScheme: 'dark', width: 1040, height: 720 },
  { name: 'light-narrow', colorScheme: 'light', width: 320, height: 640 },
  { name: 'dark-narrow', colorScheme: 'dark', width: 320, height: 640 },
];
const LANGUAGES = { en: 'en-GB', pl: 'pl-PL', vi: 'vi-VN', zh: 'zh-CN' };
/** What README.md and docs/pages.md show. */
const SHOWN = ['devices-light-wide-en', 'admin-user-light-wide-en', 'admin-system-light-wide-en'];
const SERVICE_KEY = 'a-key-for-the-pictures-and-nothing-else';

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
    settings: {
      CURFEW_DATA: join(scratch, 'data'),
      CURFEW_ISSUER: origin,
      CURFEW_SERVICE_KEYS: SERVICE_KEY,
      CURFEW_CLIENTS: '{"shop":{"name":"The shop"}}',
      PORT: String(port),
    },
    log: pino({ level: 'silent' }),
  });
  listener = authority.listener;
  server.on('upgrade', authority.upgrade);
  // A back end that follows the feed, so that the page shows one.
  const verifier = createVerifier({ authority: origin, serviceKey: SERVICE_KEY, audience: origin });
  const browser = await chromium.launch({
    executablePath: program,
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });
  try {
    if (!(await drawsChinese(browser))) throw new Error('there is no font with Chinese characters');
    await verifier.ready();
    rmSync(folder, { recursive: true, force: true });
    for (const one of [folder, everySingle]) if (one !== undefined) mkdirSync(one, { recursive: true });
    await populate(origin);
    writeFileSync(join(folder, 'logout-in-three-browsers.png'), await series(browser, origin));
    for (const [language, locale] of Object.entries(LANGUAGES))
      for (const look of LOOKS) await takeLook(browser, origin, language, locale, look);
  } finally {
    await browser.close();
    await verifier.close();
    authority.hangUp();
    server.closeAllConnections();
    server.close();
    await authority.close();
  }
}

/** Every page in one look, as a sheet. */
async function takeLook(
  browser: Browser,
  origin: string,
  language: string,
  locale: string,
  look: Look,
): Promise<void> {
  const shots: Shot[] = [];
  const kind = `${look.name}-${language}`;
  const keep = (name: string, png: Buffer): void => {
    shots.push({ name, png });
    const file = `${name}-${kind}`;
    if (SHOWN.includes(file)) writeFileSync(join(folder, `${file}.png`), png);
    if (everySingle !== undefined) writeFileSync(join(everySingle, `${file}.png`), png);
  };
  const through = async (walk: (camera: Camera) => Promise<void>): Promise<void> => {
    const camera = await openCamera(browser, { origin, locale, look, keep });
    await walk(camera);
    await camera.context.close();
  };
  await through(people);
  await through(administration);
  const wide = look.width > 600;
  const plan = {
    title: kind,
    dark: look.colorScheme === 'dark',
    width: wide ? 728 : 288,
    columns: wide ? 3 : 8,
  };
  writeFileSync(join(folder, `sheet-${kind}.webp`), await sheet(browser, plan, shots));
}

/** Characters that the font lacks all look the same. */
async function drawsChinese(browser: Browser): Promise<boolean> {
  const page = await browser.newPage();
  const pictures: string[] = [];
  for (const character of ['语', '言']) {
    await page.setContent(`<body style="font:64px ${FONTS}">${character}</body>`);
    pictures.push((await page.screenshot()).toString('base64'));
  }
  await page.close();
  return pictures[0] !== pictures[1];
}
