import { describe, expect, test } from 'vitest';
import { isNoSecret, opaqueString, passwordFault, spellingsOf } from '../../src/domain/password.ts';

test.each([
  ['jose\u0301', 'jos\u00e9'],
  ['a\u00a0b\u3000c\u2009d', 'a b c d'],
  ['\u212b', '\u00c5'],
  [' kept as it is ', ' kept as it is '],
  ['UPPER and \uff57ide', 'UPPER and \uff57ide'],
])('RFC 8265 section 4.2: %j is %j', (typed, prepared) => {
  expect(opaqueString(typed)).toBe(prepared);
  expect(spellingsOf(typed)).toEqual([...new Set([prepared, typed])]);
});

describe('a new password', () => {
  test.each([
    'password',
    '12345678',
    'password1234',
    'PASSWORD1234!',
    'Password2026!',
    'passwordpassword',
    'qwerty123456',
    'QWERTYqwerty',
    'aaaaaaaaaaaa',
    'abcabcabcabc',
    'abcdefghijkl',
    '987654321098',
    '1q2w3e4r5t6y',
    'unbelievable',
    '1qaz2wsx3edc',
    '!!!!!!dragon',
    '123456789012',
  ])('%s is among the passwords that attackers try first', (password) => {
    expect(passwordFault(8, password)).toContain('is too common');
  });

  test.each([
    'correct horse battery',
    'dGhlc2VhcmVyYW5kb20',
    '19472-60382-cat-77',
    'zażółć gęślą jaźń',
    '密码很长的一句话放在这里吧',
    'one two three four',
  ])('%s is accepted', (password) => {
    expect(passwordFault(12, password)).toBeNull();
  });

  test('is counted in characters, as it is hashed', () => {
    expect(passwordFault(12, 'e\u0301e\u0301o\u0301u\u0301xyzwqpb')).toContain('at least 12 characters');
    expect(passwordFault(12, '😀🐎🔋📎🚀🎻🧭🪁🥕🧊🪶')).toContain('at least 12');
    expect(passwordFault(12, '😀🐎🔋📎🚀🎻🧭🪁🥕🧊🪶🌙')).toBeNull();
  });

  test.each(['\u0007', '\t', '\u0085', '\n'])('with the control character %j is refused', (control) => {
    expect(passwordFault(12, `correct horse${control}battery`)).toContain('control characters');
  });
});

test.each([
  ['k'.repeat(32), true],
  ['ab'.repeat(20), true],
  ['changeme'.repeat(4), true],
  ['abcdefghijklmnopqrstuvwxyz012345', true],
  ['0123456789'.repeat(4), true],
  ['f3a9'.repeat(8), true],
  ['9f86d081884c7d659a2feaa0c55ad015', false],
  ['l2zJt1m9R3sTqjJmY5e2wqQb6f3l0m1oXx1bS8yWc2s=', false],
])('the secret %s is refused: %s', (secret, expected) => {
  expect(isNoSecret(secret)).toBe(expected);
});
