import { replaceUnseen } from '@curfew/protocol/reading/plain-name';
import type { Plural } from '../../languages/language.ts';

/** The values for a text's braces. */
type TextValues = Record<string, string | number>;

/** The longest name that a page shows. */
const LONGEST = 80;
const ISOLATE = '\u2068';
const POP = '\u2069';
/** Letters written from the right: Hebrew, Arabic and their neighbours. */
const FROM_THE_RIGHT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** Fills the braces of a text. Inserted values cannot change the direction of their surroundings. */
export function say(text: string, values: TextValues = {}): string {
  return text.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = (Object.hasOwn(values, name) ? values[name] : undefined) ?? '';
    return typeof value === 'string' && FROM_THE_RIGHT.test(value) ? ISOLATE + value + POP : String(value);
  });
}

/** The sentence for a count, in the language's plural form; {count} is formatted by the language. */
export function sayCount(tag: string, plural: Plural, count: number, values: TextValues = {}): string {
  const form = plural[new Intl.PluralRules(tag).select(count)] ?? plural.other;
  return say(form.replaceAll('{count}', new Intl.NumberFormat(tag).format(count)), values);
}

/** Makes a name safe to show: no line breaks, no control, direction or invisible characters, and limited in length. */
export function shown(name: string, longest: number = LONGEST): string {
  const clean = replaceUnseen(name.slice(0, 1000), ' ').replace(/\s+/g, ' ').trim();
  const characters = Array.from(clean);
  return characters.length > longest
    ? `${characters
        .slice(0, longest - 1)
        .join('')
        .trimEnd()}…`
    : clean;
}
