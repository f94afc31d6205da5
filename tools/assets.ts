/**
 * Puts the files that the server serves besides its API into `packages/server/assets`: the two files of Swagger UI, and the built pages of
 * `web/`; and beside them the notices of what others wrote.
 *
 * Copies Swagger UI, so that the server need not depend on it: the package has 12 MB of other builds, and one of its dependencies reports
 * every installation to a third party. Runs after `npm install`, and does nothing without the development packages.
 */
import { cpSync, existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createRequire } from 'node:module';
import { COMMON_PASSWORDS, carriedIn, swaggerUi, writeNotices } from './build/notices.ts';

const server = join(import.meta.dirname, '..', 'packages', 'server');
const target = join(server, 'assets', 'swagger-ui');

const SWAGGER_UI = [
  'swagger-ui-bundle.js',
  'swagger-ui-bundle.js.LICENSE.txt',
  'swagger-ui.css',
  'LICENSE',
  'NOTICE',
];
const source = find('swagger-ui-dist/package.json', server);
if (source !== undefined) {
  mkdirSync(target, { recursive: true });
  for (const file of SWAGGER_UI) {
    if (existsSync(join(source, file))) cpSync(join(source, file), join(target, file));
  }
}

const web = join(import.meta.dirname, '..', 'web');
if (existsSync(web) && find('vite/package.json', web) && find('preact/package.json', web)) {
  const { buildPages } = await import('./build-pages.ts');
  const inputs = await buildPages();
  if (source !== undefined) writeNotices(server, [...carriedIn(inputs), swaggerUi(source), COMMON_PASSWORDS]);
}

function find(file: string, from: string): string | undefined {
  try {
    return dirname(createRequire(join(from, 'package.json')).resolve(file));
  } catch {
    return undefined;
  }
}
