/** Recipes of CONTRIBUTING.md as data: the files that each lists, and the blocks that make them. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

interface Recipe {
  /** The heading: "A setting". */
  name: string;
  /** How many files it lists. */
  listed: number;
  /** The files that its blocks change or create, by paths from the repository's root. */
  blocks: readonly Block[];
}

interface Block {
  path: string;
  /** A whole new file, or a change in the format of `diff -u`. */
  kind: 'file' | 'diff';
  text: string;
}

/** The recipes of a page, each below a heading of the third level in the section "How to add". */
export function readRecipes(page: string): Recipe[] {
  const section = /^## How to add$([\s\S]*?)^## /m.exec(page)?.[1] ?? '';
  return section
    .split(/^### /m)
    .slice(1)
    .map((text) => ({
      name: text.split('\n', 1)[0] as string,
      listed: [...text.matchAll(/^\d+\. /gm)].length,
      blocks: [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, kind, content = '']) =>
        kind === 'diff' ? readDiff(content) : readFile(content),
      ),
    }));
}

function readDiff(text: string): Block {
  const path = /^\+\+\+ b\/(.+)$/m.exec(text)?.[1];
  if (path === undefined) throw new Error(`a diff names no file: ${text}`);
  return { path, kind: 'diff', text };
}

function readFile(text: string): Block {
  const [, path, content] = /^(?:\/\/|--) (\S+\/\S+)\n([\s\S]*)$/.exec(text) ?? [];
  if (path === undefined || content === undefined)
    throw new Error(`a block does not begin with its path: ${text}`);
  return { path, kind: 'file', text: content };
}

/**
 * Applies a recipe to a copy of the checkout.
 * @throws where a change does not fit the file any more
 */
export function follow({ name, blocks }: Recipe, copy: string): void {
  for (const { path, kind, text } of blocks) {
    if (kind === 'file') {
      mkdirSync(dirname(join(copy, path)), { recursive: true });
      writeFileSync(join(copy, path), text, { flag: 'wx' });
      continue;
    }
    const file = join(copy, path);
    writeFileSync(
      file,
      hunksOf(text).reduce(
        (source, hunk) => replaceOnce(source, hunk, `${name}, ${path}`),
        readFileSync(file, 'utf8'),
      ),
    );
  }
}

/** The text before and after a change. A recipe has no line numbers: a hunk applies where its text is. */
function hunksOf(diff: string): { before: string; after: string }[] {
  return diff
    .split(/^@@.*\n/m)
    .slice(1)
    .map((hunk) => {
      const lines = hunk.split('\n').slice(0, -1);
      const side = (mark: string): string =>
        lines.flatMap((line) => (line[0] === ' ' || line[0] === mark ? `${line.slice(1)}\n` : [])).join('');
      return { before: side('-'), after: side('+') };
    });
}

function replaceOnce(
  source: string,
  { before, after }: { before: string; after: string },
  where: string,
): string {
  const found = source.split(before).length - 1;
  if (found !== 1) throw new Error(`${where}: this text is there ${found} times, not once:\n${before}`);
  return source.replace(before, () => after);
}
