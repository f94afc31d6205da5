import { plainName, replaceUnseen } from '@curfew/protocol/reading/plain-name';
import { expect, test } from 'vitest';

const FAMILY = '👨‍👩‍👧';

test.each([
  ['a line break becomes a space', 'My\r\nphone', 'My phone'],
  ['a direction control is removed', 'a\u202eb\u2066c', 'abc'],
  ['half a surrogate pair is replaced', 'a\ud800', 'a\ufffd'],
  ['the ends are trimmed', ' \u0000phone\u2028 ', 'phone'],
  ['joiners stay', FAMILY, FAMILY],
])('a stored name: %s', (_, given, stored) => {
  expect(plainName(given)).toBe(stored);
});

test.each([
  ['a control character', 'a\u001b[2Jb\u009b', 'a?[2Jb?'],
  ['a direction control', 'a\u202eb', 'a?b'],
  ['an invisible character', 'a\u200bb\ufeff\u00ad', 'a?b??'],
  ['a line or paragraph separator', 'a\u2028b\u2029', 'a?b?'],
  ['no joiner', FAMILY, FAMILY],
])('a shown text: %s is replaced', (_, given, shown) => {
  expect(replaceUnseen(given, '?')).toBe(shown);
});
