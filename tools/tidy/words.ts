/** Words that this project does not use: the field has another one, or a stranger would have to guess. See the glossary in ARCHITECTURE.md. */
import type { SourceFile } from './source.ts';

/** Names of files that say nothing of what is inside. */
const VAGUE = /^(?:utils?|utilit(?:y|ies)|helpers?|core|common|lib|misc|shared|stuff)$/;

interface Banned {
  word: RegExp;
  instead: string;
}

/** What the glossary rules out is put here, so that it does not come back. */
const BANNED: Banned[] = [
  { word: /\bscope"?: ?['"]application\b|\bapplicationOf\b|\brequireApplication\b/, instead: 'client' },
  { word: /\bListening is no use of it\b/i, instead: 'Listening does not count as activity' },
  { word: /\bnumbers of transactions in a text\b/i, instead: 'lower and upper transaction id, as text' },
];

/** Where words are quoted as bad examples, or were written in other days. */
const QUOTES = /^tools\/tidy|^CHANGELOG\.md$/;

export function findWordFaults(files: SourceFile[], banned: Banned[] = BANNED): string[] {
  return files.flatMap(({ path, source }) => {
    const faults = path
      .split('/')
      .filter((segment) => VAGUE.test(segment.split('.')[0] as string))
      .map((segment) => `${path}: "${segment}" does not say what is inside`);
    if (QUOTES.test(path)) return faults;
    for (const { word, instead } of banned) {
      const at = source.search(word);
      if (at >= 0) {
        const line = source.slice(0, at).split('\n').length;
        faults.push(`${path}:${line}: says "${word.exec(source)?.[0]}": write "${instead}"`);
      }
    }
    return faults;
  });
}
