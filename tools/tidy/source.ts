import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface SourceFile {
  /** From the repository's root, with `/`. */
  path: string;
  source: string;
}

const ROOT = join(import.meta.dirname, '../..');

/** The text files of the tree, except those that others made. */
export function readTree(): SourceFile[] {
  const list = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  return list
    .split('\0')
    .filter(
      (path) =>
        /\.(?:tsx?|m?js|json|css|html|ya?ml|sql|md)$|(?:^|\/)(?:Dockerfile|run)$/.test(path) &&
        !/package-lock\.json$|^bench\/results\/|^packages\/server\/assets\//.test(path) &&
        existsSync(join(ROOT, path)),
    )
    .map((path) => ({ path, source: readFileSync(join(ROOT, path), 'utf8') }));
}

/** Comments at the start of a line only: `'/*'` is also how routes are written. */
export function withoutComments(source: string): string {
  return source.replace(/^\s*\/\*[\s\S]*?\*\//gm, '').replace(/^\s*\/\/.*$/gm, '');
}
