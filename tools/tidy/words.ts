/** Words that this project does not use: the field has another one, or a stranger would have to guess. See the glossary in ARCHITECTURE.md. */
import type { SourceFile } from './source.ts';

/** File names that do not say what is inside. */
const VAGUE = /^(?:utils?|utilit(?:y|ies)|helpers?|core|common|lib|misc|shared|stuff)$/;

interface Banned {
  word: RegExp;
  instead: string;
}

/** The words that the glossary rules out, so that they do not come back. */
const BANNED: Banned[] = [
  { word: /\bscope"?: ?['"]application\b|\bapplicationOf\b|\brequireApplication\b/, instead: 'client' },
  { word: /\bListening is no use of it\b/i, instead: 'Listening does not count as activity' },
  { word: /\bnumbers of transactions in a text\b/i, instead: 'lower and upper transaction id, as text' },
  {
    word: /\bcannot be told (?:here )?at the moment\b/i,
    instead: 'Session status is unavailable. Try again.',
  },
  { word: /\bcame from nowhere\b/i, instead: 'received an ending without its event' },
  { word: /\bIs it you\?/, instead: 'Confirm your password to continue.' },
  { word: /\bnothing of that name\b/i, instead: 'No such user.' },
  { word: /\bcame from another site\b/i, instead: 'Blocked: the request came from another website.' },
  { word: /\bmay not administer\b/i, instead: 'has no administrator rights' },
  { word: /\bkey of your session was used\b/i, instead: "Your session's token was used twice" },
  { word: /['"`]How the system stands/, instead: 'System status' },
  { word: /\b99 of 100\b/, instead: 'p99' },
  { word: /\bWhat follows the log\b|\bLast through\b/, instead: 'Log consumers, Last processed' },
  { word: /\bEnds by itself\b/, instead: 'Expires' },
  { word: /\bthe one chosen\b/i, instead: 'selected' },
  { word: /['"`]Like the system/, instead: 'System' },
  { word: /\bTrue everywhere after\b/, instead: 'Logged out everywhere in' },
  { word: /\bWhat the others have and\b/, instead: 'What others offer and Curfew does not' },
  { word: /\bids that are (?:not )?there\b/i, instead: 'replica hits, replica misses' },
  { word: /\bdecides alone, and of two\b/i, instead: 'If `Authorization` is present, cookies are ignored' },
  { word: /\bsay whom: one of\b/i, instead: 'Specify one of' },
  { word: /\bit will be tried again\b|\bthey will be again\b/i, instead: 'will retry' },
  { word: /\bKoniec bez działania\b|['"]połowa['"]/, instead: 'Wygasa, mediana' },
  { word: /\blookups in the replica of ids\b/i, instead: 'replica misses' },
  { word: /\bheader decides alone\b/i, instead: 'If `Authorization` is present, cookies are ignored' },
  { word: /\bothers have and Curfew has not\b/i, instead: 'What others offer and Curfew does not' },
  // In backticks it is a name that the glossary rules out.
  { word: /(?<!`)\b(?:heed(?:s|ed)?|the way on which)\b/i, instead: 'the word of the field, with its actor' },
];

/** Files that quote the words as bad examples, or that describe earlier versions. */
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

/**
 * Words that no file name and no identifier of the packages contains, with what to write instead. The glossary in ARCHITECTURE.md lists the
 * same.
 */
const BANNED_NAMES: Record<string, string> = {
  application: 'client',
  attend: 'the act itself',
  standing: 'provenance, lag, state',
  told: 'answer, heard, delivered',
  untold: 'pending',
  whole: 'integer, complete',
};

/** A setting of PostgreSQL. */
const NAMED_BY_OTHERS = ['application_name'];

const PACKAGES = /^packages\/[^/]+\/src\/(.+)\.ts$/;
const NO_CODE = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|\/\/.*|\/\*[\s\S]*?\*\//g;

/** Files and identifiers that are named by a banned word, also as a part: `toldOf`. */
export function findBannedNames(
  files: SourceFile[],
  banned: Record<string, string> = BANNED_NAMES,
): string[] {
  return files.flatMap(({ path, source }) => {
    const own = PACKAGES.exec(path)?.[1];
    if (own === undefined) return [];
    const names = new Set([...own.split('/'), ...(source.replace(NO_CODE, '').match(/[A-Za-z]\w*/g) ?? [])]);
    return [...names].flatMap((name) => {
      if (NAMED_BY_OTHERS.includes(name)) return [];
      const parts = (name.match(/[A-Z]?[a-z]+|[A-Z]+(?![a-z])/g) ?? []).map((part) => part.toLowerCase());
      const word = parts.find((part) => Object.hasOwn(banned, part));
      return word === undefined ? [] : [`${path}: is named ${name}: write ${banned[word]}`];
    });
  });
}

/** The glossary against the code: its types are where it says, and the words that it rules out are those above. */
export function findGlossaryFaults(
  files: SourceFile[],
  banned: Record<string, string> = BANNED_NAMES,
): string[] {
  const sourceOf = (path: string): string => files.find((file) => file.path === path)?.source ?? '';
  const rows = [
    ...sourceOf('ARCHITECTURE.md').matchAll(/^\| (\*\*[^|]+\*\*) \| [^|]+ \| ([^|]*) \| ([^|]*) \|$/gm),
  ].map(([, terms = '', code = '', not = '']) => ({
    terms: terms.replaceAll('*', '').split(', '),
    code: quoted(code),
    not: quoted(not),
  }));
  const terms = rows.flatMap((row) => row.terms);
  const not = rows.flatMap((row) => row.not);
  const [, list = ''] = /Glossary\.\n([\s\S]*?)\*\//.exec(sourceOf(SESSION)) ?? [];
  return [
    ...rows.flatMap(({ code: [name, file = ''] }) =>
      name === undefined || new RegExp(`^export .*\\b${name}\\b`, 'm').test(sourceOf(`packages/${file}`))
        ? []
        : [`ARCHITECTURE.md: ${name} is not in ${file}`],
    ),
    ...[...list.matchAll(/^ \*   (\w+)/gm)]
      .filter(([, term = '']) => !terms.includes(term))
      .map(([, term]) => `${SESSION}: ${term} is not in the glossary of ARCHITECTURE.md`),
    ...not
      .filter((word) => !Object.hasOwn(banned, word))
      .map((word) => `ARCHITECTURE.md: nothing bans ${word}`),
    ...Object.keys(banned)
      .filter((word) => !not.includes(word))
      .map((word) => `tools/tidy/words.ts: ${word} is not in the glossary of ARCHITECTURE.md`),
  ];
}

const SESSION = 'packages/server/src/domain/session.ts';
const quoted = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, one = '']) => one);
