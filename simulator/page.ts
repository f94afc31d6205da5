import { readFileSync, writeFileSync } from 'node:fs';

const PAGE = new URL('../docs/mutations.md', import.meta.url);

export const readPage = (): string => readFileSync(PAGE, 'utf8');

/** Writes a part of docs/mutations.md anew: what stands between its two marks. */
export function writePart(name: 'mutations' | 'campaign', text: string): void {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`];
  const [before, rest] = readPage().split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined)
    throw new Error(`docs/mutations.md lacks ${begin} or ${end}`);
  writeFileSync(PAGE, `${before}${begin}\n${text}\n${end}${after}`);
}
