import type { en } from './en.ts';

/** Sentences by the plural categories of a language (Unicode CLDR): English has `one` and `other`, Polish four. */
export type Plural = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string };

type Like<T> = T extends string
  ? string
  : T extends { other: string }
    ? Plural
    : { [K in keyof T]: Like<T[K]> };

/**
 * A whole language. Another one is one more file beside this, named like its tag and exporting it by that name; the
 * build finds it. A test compares its plurals and its braces.
 */
export type Language = Like<typeof en>;
