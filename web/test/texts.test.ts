/** The languages: each has all texts, its own plural forms, and the same braces. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ENDED_BY, END_REASONS } from '../../packages/protocol/src/notices.ts';
import { en } from '../languages/en.ts';
import type { Language, Plural } from '../languages/language.ts';
import { endedKey } from '@curfew/protocol/ended-key';
import { say, sayCount, shown } from '../src/text/say.ts';
import { lasting, relative, took } from '../src/text/time.ts';

const folder = join(import.meta.dirname, '..', 'languages');
const languages: Language[] = await Promise.all(
  readdirSync(folder)
    .filter((file) => file !== 'language.ts')
    .map(async (file) => {
      const name = file.replace('.ts', '');
      return ((await import(join(folder, file))) as Record<string, Language>)[name] as Language;
    }),
);

type Leaf = string | Plural;
/** Every text with its place: `login.title`. */
function leaves(value: object, path = ''): [string, Leaf][] {
  return Object.entries(value).flatMap(([key, inner]: [string, Leaf | object]): [string, Leaf][] => {
    const here = path === '' ? key : `${path}.${key}`;
    const isLeaf = typeof inner === 'string' || 'other' in inner;
    return isLeaf ? [[here, inner as Leaf]] : leaves(inner, here);
  });
}
const braces = (text: string): string[] => [...new Set(text.match(/\{\w+\}/g))].sort();
const english = new Map(leaves(en));

test('there are the languages of the contracts’ authors', () => {
  expect(languages.map(({ tag }) => tag).sort()).toEqual(['en', 'pl', 'vi', 'zh-Hans']);
});

describe.each(languages.map((language): [string, Language] => [language.tag, language]))(
  '%s',
  (tag, language) => {
    test('has every text, and no other', () => {
      const own = new Map(leaves(language));
      expect([...own.keys()]).toEqual([...english.keys()]);
      for (const [place, text] of own)
        for (const form of typeof text === 'string' ? [text] : Object.values(text)) {
          expect(form.trim(), place).toBe(form);
          expect(form, place).not.toBe('');
        }
    });

    test('has the plural forms of its grammar', () => {
      const forms = new Intl.PluralRules(tag).resolvedOptions().pluralCategories.toSorted();
      for (const [place, text] of leaves(language))
        if (typeof text !== 'string') expect(Object.keys(text).sort(), place).toEqual(forms);
    });

    test('fills in what English fills in', () => {
      for (const [place, text] of leaves(language)) {
        const model = english.get(place) as Leaf;
        const expected = braces(typeof model === 'string' ? model : model.other);
        if (typeof text === 'string') expect(braces(text), place).toEqual(expected);
        // A form for one may spell the number out.
        else
          for (const [form, sentence] of Object.entries(text))
            if (form === 'one') expect(expected, place).toEqual(expect.arrayContaining(braces(sentence)));
            else expect(braces(sentence), place).toEqual(expected);
      }
    });

    test('is written in its own words', () => {
      if (tag === 'en') return;
      const same = leaves(language).filter(
        ([place, text]) => JSON.stringify(text) === JSON.stringify(english.get(place)) && place !== 'name',
      );
      expect(same.map(([place]) => place)).toEqual([]);
    });
  },
);

test('counts use the plural forms of the grammar', () => {
  const pl = languages.find(({ tag }) => tag === 'pl') as Language;
  const say = (count: number): string => sayCount('pl', pl.devices.endedCount, count);
  expect([1, 2, 5, 12, 22, 25, 1000].map(say)).toEqual([
    'Wylogowano jedno urządzenie.',
    'Wylogowano 2 urządzenia.',
    'Wylogowano 5 urządzeń.',
    'Wylogowano 12 urządzeń.',
    'Wylogowano 22 urządzenia.',
    'Wylogowano 25 urządzeń.',
    'Wylogowano 1000 urządzeń.',
  ]);
  expect(sayCount('en', en.devices.endedCount, 1234)).toBe('1,234 devices are logged out.');
});

test('times are in the language’s own words', () => {
  const now = new Date('2026-11-20T12:00:00Z');
  const at = (seconds: number): Date => new Date(now.getTime() + seconds * 1000);
  expect(relative('en', at(-190), now)).toBe('3 minutes ago');
  expect(relative('pl', at(-190), now)).toBe('3 minuty temu');
  expect(relative('vi', at(-190), now)).toBe('3 phút trước');
  expect(relative('zh-Hans', at(-190), now)).toBe('3分钟前');
  expect(relative('en', at(-26 * 3600), now)).toBe('yesterday');
  expect(relative('en', at(-5), now)).toBe('1 minute ago');
  // Rounded so that nobody comes too early.
  expect(relative('en', at(61), now)).toBe('in 2 minutes');
  expect(lasting('pl', 1800)).toBe('30 minut');
  expect(lasting('en', 7 * 86_400)).toBe('7 days');
  expect(took('en', 4.46)).toBe('4.5 ms');
  expect(took('en', 1234)).toBe('1.2 sec');
});

test('each reason for an ending has a sentence, and so has one that a newer server gives', () => {
  for (const reason of END_REASONS)
    for (const by of ENDED_BY) expect(en.ended).toHaveProperty(endedKey({ reason, by }));
  expect(endedKey({ reason: 'constructor', by: 'unknown' })).toBe('unknown');
});

describe('a name from a user', () => {
  test('is shown without characters that turn, hide or break the line', () => {
    expect(shown('My\u202e laptop\n\t\u0000 x\u2066')).toBe('My laptop x');
    expect(shown('  a\u2028b\u200bc  ')).toBe('a b c');
    // A family and a Persian word are joined by characters that cannot be seen, and need them.
    expect(shown('👨\u200d👩\u200d👧')).toBe('👨\u200d👩\u200d👧');
    expect(shown('می\u200cخواهم')).toBe('می\u200cخواهم');
    expect(shown('<b>&amp;')).toBe('<b>&amp;');
    expect(shown('x'.repeat(10_000))).toHaveLength(80);
    expect(shown('')).toBe('');
  });

  test('cannot change the direction of the sentence around it, nor fill other braces', () => {
    expect(say('{device} is logged out.', { device: 'שלום' })).toBe('\u2068שלום\u2069 is logged out.');
    expect(say('{a} {b}', { a: '{b}', b: 'x' })).toBe('{b} x');
    expect(say('{a}', { a: '$&$1' })).toBe('$&$1');
    expect(say('{constructor}{missing}', {})).toBe('');
  });
});
