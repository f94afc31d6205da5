/** A browser for tests that need one. */
import { existsSync } from 'node:fs';
import { requireService } from './require.ts';

/** The path of a Chromium: `CHROMIUM`, else the usual places. Says what is skipped, or throws, when there is none. */
export function findChromium(): string | undefined {
  const places = [
    process.env['CHROMIUM'],
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
  ];
  const found = places.find((place) => place !== undefined && existsSync(place));
  return requireService(
    'Chromium',
    found,
    'install chromium, or set CHROMIUM to its path; browser tests need it.',
  );
}
