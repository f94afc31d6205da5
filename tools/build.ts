/**
 * `npm run build`: builds the content of the packages and of the image. First removes the output of earlier builds, so that no file is
 * published whose source is gone.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeDist } from './build/inline.ts';
import { carriedIn, NOTICES, writeNotices } from './build/notices.ts';
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
  rmSync(join(PACKAGES, name, NOTICES), { force: true });
  copyFileSync(join(ROOT, 'LICENSE'), join(PACKAGES, name, 'LICENSE'));
}
const inputs = new Set<string>();
await writeClientBundle(inputs);
writeNotices(join(PACKAGES, 'client'), carriedIn(inputs));
await import('./assets.ts');
