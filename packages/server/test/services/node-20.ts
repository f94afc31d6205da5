import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { requireService } from './require.ts';

/** A Node of version 20 on the PATH, the oldest that the libraries promise to run on. The one that runs the tests is a newer one. */
export function findNode20(): string | undefined {
  return requireService('Node 20', onPath(), 'put a Node 20.19, or later of that line, on the PATH.');
}

function onPath(): string | undefined {
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    const file = join(directory, process.platform === 'win32' ? 'node.exe' : 'node');
    if (!existsSync(file)) continue;
    const version = execFileSync(file, ['-p', 'process.versions.node'], { encoding: 'utf8' });
    const [major = 0, minor = 0] = version.split('.').map(Number);
    if (major === 20 && minor >= 19) return file;
  }
  return undefined;
}
