import type { Plural } from '../../languages/language.ts';

/** What can stand where a text has braces. */
type Values = Record<string, string | number>;

/** Nobody's name is longer than this on a page. */
const LONGEST = 80;
/** The two joiners are letters' business: families of emoji and Persian words need them. */
const CONTROLS = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const ISOLATE = '\u2068';
const POP = '\u2069';
/** Letters that are written from the right: Hebrew, Arabic and their neighbours. */
const FROM_THE_RIGHT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** Fills the braces of a text. What is filled in cannot turn the direction of what stands around it. */
export function say(text: string, values: Values = {}): string {
  return text.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = (Object.hasOwn(values, name) ? values[name] : undefined) ?? '';
    return typeof value === 'string' && FROM_THE_RIGHT.test(value) ? ISOLATE + value + POP : String(value);
  });
}

/** The sentence for a count, in the plural form of the language; {count} is written as the language writes numbers. */
export function sayCount(tag: string, plural: Plural, count: number, values: Values = {}): string {
  const form = plural[new Intl.PluralRules(tag).select(count)] ?? plural.other;
  return say(form.replaceAll('{count}', new Intl.NumberFormat(tag).format(count)), values);
}

/**
 * A name as somebody wrote it, fit to be shown: no line breaks, no control characters and none that turn the
 * direction or cannot be seen, and not without end.
 */
export function shown(name: string, longest: number = LONGEST): string {
  const clean = name.slice(0, 1000).replace(CONTROLS, ' ').replace(/\s+/g, ' ').trim();
  const characters = Array.from(clean);
  return characters.length > longest
    ? `${characters
        .slice(0, longest - 1)
        .join('')
        .trimEnd()}…`
    : clean;
}
