/**
 * Puts the two files of Swagger UI that the documentation page serves into `packages/server/assets/swagger-ui`.
 *
 * They are copied, not depended on: the package carries 12 MB of other builds, and one of its dependencies reports
 * every installation to a third party. Runs after `npm install`; does nothing where development packages are left out.
 */
import { cpSync, existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createRequire } from 'node:module';

const server = join(import.meta.dirname, '..', 'packages', 'server');
const target = join(server, 'assets', 'swagger-ui');

const source = find();
if (source !== undefined) {
  mkdirSync(target, { recursive: true });
  for (const file of ['swagger-ui-bundle.js', 'swagger-ui.css', 'LICENSE', 'NOTICE']) {
    if (existsSync(join(source, file))) cpSync(join(source, file), join(target, file));
  }
}

function find(): string | undefined {
  try {
    return dirname(createRequire(join(server, 'package.json')).resolve('swagger-ui-dist/package.json'));
  } catch {
    return undefined;
  }
}
