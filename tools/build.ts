/**
 * `npm run build`: builds the content of the packages and of the image. First removes the output of earlier builds, so that no file is
 * published whose source is gone.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeDist } from './build/inline.ts';
import { writeClientBundle } from './bundle-client.ts';

const ROOT = join(import.meta.dirname, '..');
const PACKAGES = join(ROOT, 'packages');
const PUBLISHED = ['client', 'server', 'verifier'];

for (const name of [...PUBLISHED, 'protocol'])
  rmSync(join(PACKAGES, name, '.build'), { recursive: true, force: true });
rmSync(join(PACKAGES, 'server/assets'), { recursive: true, force: true });
const compiler = join(ROOT, 'node_modules/.bin/tsc');
execFileSync(compiler, ['-b', ...PUBLISHED.map((name) => join(PACKAGES, name))], { stdio: 'inherit' });
for (const name of PUBLISHED) {
  writeDist(name, PACKAGES);
  copyFileSync(join(ROOT, 'LICENSE'), join(PACKAGES, name, 'LICENSE'));
}
await writeClientBundle();
await import('./assets.ts');
