import type { Router } from '../contract/serve-families.ts';
import { refuse } from '../respond.ts';
import { compressedFile, sendStatic, type StaticFile } from '../static-file.ts';
import { readFile } from 'node:fs/promises';

/* The files of the description's page. */

const ASSETS = new URL('../../../assets/swagger-ui/', import.meta.url);
const start = (publicPath: string): string =>
  `SwaggerUIBundle({ url: '${publicPath.replaceAll("'", '%27')}/openapi.json', dom_id: '#api', deepLinking: true, validatorUrl: null });\n`;
const JAVASCRIPT = 'text/javascript; charset=utf-8';
const asset = (name: string): Promise<Buffer> => readFile(new URL(name, ASSETS));
const FILES: Record<string, (publicPath: string) => Promise<StaticFile>> = {
  '/docs/start.js': (publicPath) => compressedFile(JAVASCRIPT, start(publicPath)),
  '/docs/swagger-ui.css': async () =>
    compressedFile('text/css; charset=utf-8', await asset('swagger-ui.css')),
  '/docs/swagger-ui-bundle.js': async () => compressedFile(JAVASCRIPT, await asset('swagger-ui-bundle.js')),
};

export function serveDocsFiles(router: Router, publicPath: string): void {
  for (const [path, read] of Object.entries(FILES)) {
    // Prepared at the first request.
    let file: Promise<StaticFile> | undefined;
    router.get(path, async (c) => {
      try {
        return sendStatic(c, await (file ??= read(publicPath)));
      } catch {
        // Installed without the assets: the description itself is at /openapi.json.
        return refuse(c, 'not_found');
      }
    });
  }
}
