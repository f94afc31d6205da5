/** Which language a page is in. */
import { expect, test } from 'vitest';
import { chooseLanguage } from '../../src/domain/language.ts';

const LANGUAGES = ['en', 'pl', 'vi', 'zh'] as const;
const choose = (accept: string | null, ...asked: (string | null | undefined)[]): string | null =>
  chooseLanguage(LANGUAGES, asked, accept);

test.each([
  ['pl', 'pl'],
  ['pl-PL,pl;q=0.9,en;q=0.8', 'pl'],
  ['de-DE,de;q=0.9,vi;q=0.5,en;q=0.4', 'vi'],
  ['en;q=0.1, zh-CN;q=0.8', 'zh'],
  ['zh-Hant-TW', 'zh'],
  ['EN-gb', 'en'],
  ['de, *;q=0.5', null],
  ['pl;q=0, vi', 'vi'],
  ['pl;q=x, vi;q=0.2', 'vi'],
  ['', null],
  [null, null],
  [';;;,,,;q=;q=1', null],
  [`${'x,'.repeat(5000)}pl`, null],
])('Accept-Language %s is %s', (accept, expected) => {
  expect(choose(accept)).toBe(expected);
});

test('an explicit request comes first, if the language exists', () => {
  expect(choose('pl', 'vi')).toBe('vi');
  expect(choose('pl', 'VI')).toBe('vi');
  expect(choose('pl', 'xx', 'zh')).toBe('zh');
  expect(choose('pl', '__proto__', null, undefined)).toBe('pl');
});
