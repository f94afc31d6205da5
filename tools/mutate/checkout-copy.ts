import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeScratch } from '../../packages/server/test/services/scratch.ts';

/** The output of the build, which takes too long to be made in each copy. */
const BUILT = 'packages/server/assets';

/**
 * Copies the checkout into a directory in which the tool can change sources, so that processes that tests start read the changed files too.
 * The copy links the dependencies, and has the packages of this repository itself.
 */
export function copyCheckout(root: string): string {
  const copy = makeScratch('mutate');
  try {
    const list = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--deduplicate'];
    const deleted = new Set(git(root, ['ls-files', '-z', '--deleted']));
    const tracked = git(root, list).filter((path) => !deleted.has(path));
    for (const path of existsSync(join(root, BUILT)) ? [...tracked, BUILT] : tracked)
      cpSync(join(root, path), join(copy, path), { recursive: true, verbatimSymlinks: true });
    linkDependencies(join(root, 'node_modules'), join(copy, 'node_modules'));
    return copy;
  } catch (error) {
    rmSync(copy, { recursive: true, force: true });
    throw error;
  }
}

function git(root: string, args: string[]): string[] {
  const listed = execFileSync('git', args, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 26 });
  return listed.split('\0').filter(Boolean);
}

function linkDependencies(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    // Caches are the copy's own.
    if (entry.name.startsWith('.') && entry.name !== '.bin') continue;
    if (entry.isDirectory() && entry.name.startsWith('@')) linkDependencies(source, target);
    else symlinkSync(isWorkspace(source) ? readlinkSync(source) : source, target);
  }
}

function isWorkspace(path: string): boolean {
  return dirname(path).endsWith('@curfew');
}
