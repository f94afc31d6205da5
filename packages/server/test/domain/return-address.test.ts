/** Where a login leads: a page of this origin, whatever the request asks for (CVE-2021-29456, CVE-2019-14857, CVE-2022-23527). */
import { describe, expect, test } from 'vitest';
import { returnAddress } from '../../src/domain/return-address.ts';

const ORIGIN = 'https://id.example.com';

/** The URL that a browser makes of a Location header on a page of this origin. */
const arrives = (location: string): URL => new URL(location, `${ORIGIN}/login`);

describe('an address of this origin is kept', () => {
  test.each([
    ['/', '/'],
    ['/devices', '/devices'],
    ['/devices?tab=1&x=%2F%2Fevil.example', '/devices?tab=1&x=%2F%2Fevil.example'],
    ['/a/b#part', '/a/b#part'],
    ['/a/../b', '/b'],
    ['/żółw', '/%C5%BC%C3%B3%C5%82w'],
    ['/a//b', '/a//b'],
    ['/search?next=https://evil.example', '/search?next=https://evil.example'],
    ['/@evil.example', '/@evil.example'],
    ['/:80', '/:80'],
    ['/loginish', '/loginish'],
  ])('%s', (given, expected) => {
    expect(returnAddress(given, ORIGIN)).toBe(expected);
    expect(arrives(expected).origin).toBe(ORIGIN);
  });
});

describe('any other address is refused', () => {
  test.each([null, undefined, '', 'devices', ' /devices', '?x', '#x', `/${'a'.repeat(2048)}`])(
    '%j',
    (given) => {
      expect(returnAddress(given, ORIGIN)).toBeNull();
    },
  );

  test.each(['/login', '/login?next=/devices', '/LOGIN', '/login/', '/logout', '/logout#x', '/a/../login'])(
    'an address that would lead in a circle: %s',
    (given) => expect(returnAddress(given, ORIGIN)).toBeNull(),
  );
});

/** Ways to begin an address that lead elsewhere in some browser or parser, before a host. */
const BEGINNINGS = [
  '//',
  '///',
  '////',
  '/\\',
  '\\/',
  '\\\\',
  '/\\/',
  '/\t/',
  '/\n/',
  '/\r/',
  '/\r\n/',
  '\t//',
  '\n//',
  ' //',
  '\u00a0//',
  '\u3000//',
  '\u0000//',
  '/\u0000/',
  '/\u000b/',
  '/\u0085/',
  '/.//',
  '/./\\',
  '/..//',
  '/a/..//',
  '/a/../..//',
  '/%2e//',
  '/%2E%2E//',
  '/a/%2e%2e//',
  '/.%2e//',
  '/%2e/%2e//',
  '/\t.//',
  'https://',
  'https:',
  'https:/',
  'https:\\\\',
  'HTTPS://',
  'http://',
  'http:',
  '\thttps://',
  ' https://',
  'h\nttps://',
  'ht\ttps://',
  'https:///',
  'https://id.example.com@',
  'https://id.example.com:443@',
  'https://id.example.com\\@',
  'https://id.example.com.',
  'https://id.example.com%2f@',
  '//id.example.com@',
  '//id.example.com:pass@',
  'ftp://',
  'ws://',
  'file://',
  'blob:https://',
  'view-source:https://',
  'javascript://',
  'data://',
];
const HOSTS = [
  'evil.example',
  'evil.example/%2f..',
  'evil.example:443/login',
  '[::1]',
  '3232235777',
  'evil。example',
];
const OTHERS = [
  'javascript:alert(1)',
  'JaVaScRiPt:alert(1)',
  'java\nscript:alert(1)',
  '\u0001javascript:alert(1)',
  'javascript&colon;alert(1)',
  'data:text/html,<script>alert(1)</script>',
  'vbscript:msgbox(1)',
  'mailto:a@evil.example',
  'about:blank',
  'evil.example',
  '.evil.example',
  '@evil.example',
  ':evil.example',
  '/\\evil.example/..',
  '/\t/evil.example/%2e%2e',
  'x/../..//evil.example',
  '\ufeff//evil.example',
  '／／evil.example',
  'https：//evil.example',
  '%2f%2fevil.example',
  '%5c%5cevil.example',
  'https://[::ffff:1.2.3.4]',
];
const TRICKS = [...BEGINNINGS.flatMap((beginning) => HOSTS.map((host) => beginning + host)), ...OTHERS];

test('no trick of a hundred leads to another origin', () => {
  expect(new Set(TRICKS).size).toBeGreaterThan(300);
  const escaped = TRICKS.flatMap((trick) => {
    const answer = returnAddress(trick, ORIGIN);
    if (answer === null) return [];
    const { origin, protocol } = arrives(answer);
    // Neither here nor when a proxy or the login page's script parses it again.
    const again = returnAddress(answer, ORIGIN);
    return origin === ORIGIN && protocol === 'https:' && again === answer
      ? []
      : [`${JSON.stringify(trick)} → ${answer}`];
  });
  expect(escaped).toEqual([]);
});

test('nearly all tricks are refused outright', () => {
  // The rest are paths of this origin that look odd: a dot segment, or an escaped slash.
  const kept = TRICKS.filter((trick) => returnAddress(trick, ORIGIN) !== null);
  expect(kept).toEqual([]);
});
