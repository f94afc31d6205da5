/** The Chromium that all browser tests of a run share. */
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type BrowserServer, chromium } from 'playwright-core';

/** The path of a Chromium: `CHROMIUM`, else the usual places. */
export function findChromium(): string | undefined {
  const places = [
    process.env['CHROMIUM'],
    // Draws pages as the whole browser does, at half its processor time.
    '/usr/bin/chromium-headless-shell',
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
  ];
  return places.find((place) => place !== undefined && existsSync(place));
}

/** The first two are windows of the browser's own that it draws beside each page, which takes half of its processor time. */
const WITHOUT = [
  'WebUIOmniboxPopup',
  'WebUIOmniboxAimPopup',
  // What Playwright switches off: of two such lists the last one counts.
  'AvoidUnnecessaryBeforeUnloadCheckSync',
  'DestroyProfileOnBrowserClose',
  'HttpsUpgrades',
  'HttpsFirstBalancedModeAutoEnable',
  'LensOverlay',
  'MediaRouter',
  'PaintHolding',
  'ThirdPartyStoragePartitioning',
  'AvoidCorsURLLoaderRestartOnRedirect',
  'OptimizationHints',
  'NetworkTimeServiceQuerying',
  'AimEnabled',
  'PreconnectToSearch',
];

interface SharedChromium {
  /** The address to connect to. The first call starts the browser, so a run without browser tests starts none. */
  url: string;
  stop: () => Promise<void>;
}

export async function shareChromium(program: string): Promise<SharedChromium> {
  let started: Promise<BrowserServer> | undefined;
  const door = createServer((_req, res) => {
    started ??= chromium.launchServer({
      executablePath: program,
      host: '127.0.0.1',
      args: [
        '--no-sandbox',
        '--disable-dev-shm-usage',
        '--host-resolver-rules=MAP *.test 127.0.0.1',
        `--disable-features=${WITHOUT.join(',')}`,
      ],
    });
    started.then(
      (server) => res.end(server.wsEndpoint()),
      (error: Error) => res.writeHead(500).end(error.message),
    );
  });
  await new Promise<void>((ready) => door.listen(0, '127.0.0.1', ready));
  return {
    url: `http://127.0.0.1:${(door.address() as AddressInfo).port}/`,
    stop: async () => {
      door.closeAllConnections();
      door.close();
      await (await started?.catch(() => undefined))?.close();
    },
  };
}
