import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';

const BLOCK = 512;

/** A package's directory as the tarball that npm installs: POSIX ustar, gzipped, without the packages nested in it. */
export function tarballOf(directory: string): Buffer {
  const blocks: Buffer[] = [];
  for (const file of filesIn(directory)) {
    const content = readFileSync(file);
    const padding = Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK);
    const path = join('package', relative(directory, file)).replaceAll('\\', '/');
    blocks.push(header(path, content.length, statSync(file).mode), content, padding);
  }
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]), { level: 1 });
}

function filesIn(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : filesIn(path);
    return entry.isFile() ? [path] : [];
  });
}

function header(path: string, size: number, mode: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  // A path of more than 100 characters is split at a slash.
  const split = path.length <= 100 ? 0 : path.indexOf('/', path.length - 101) + 1;
  block.write(path.slice(split), 0, 100);
  block.write(path.slice(0, Math.max(0, split - 1)), 345, 155);
  const octal = (value: number, at: number, length: number): number =>
    block.write(value.toString(8).padStart(length - 1, '0'), at, length);
  octal(mode & 0o777, 100, 8);
  octal(size, 124, 12);
  block.write('0', 156);
  block.write('ustar\x0000', 257);
  // The checksum counts its own field as spaces.
  block.fill(' ', 148, 156);
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return block;
}
