import { expect, test } from 'vitest';
import { isTrustedOrigin } from '@curfew/protocol/reading/trusted-origin';

const TRUSTED = new Set(['https://id.example.test', 'https://app.example.net']);

test.each([
  ['same-origin', null, true],
  ['same-origin', 'https://id.example.test', true],
  // A form of our own page: "no-referrer" makes its Origin null.
  ['same-origin', 'null', true],
  ['none', null, true],
  ['none', 'null', false],
  ['none', 'https://evil.test', false],
  ['same-site', null, false],
  ['same-site', 'https://other.example.test', false],
  ['same-site', 'https://app.example.net', true],
  ['cross-site', null, false],
  ['cross-site', 'null', false],
  ['cross-site', 'https://evil.test', false],
  ['cross-site', 'https://app.example.net', true],
  ['SAME-ORIGIN', null, false],
  ['something', null, false],
  [null, 'https://id.example.test', true],
  [null, 'https://app.example.net', true],
  [null, 'https://id.example.test.evil.test', false],
  [null, 'https://id.example.test:8443', false],
  [null, 'http://id.example.test', false],
  [null, 'https://ID.example.test', false],
  [null, 'https://id.example.test/', false],
  [null, 'null', false],
  [null, '', false],
  [null, null, false],
])('Sec-Fetch-Site %s, Origin %s: %s', (secFetchSite, origin, trusted) => {
  expect(isTrustedOrigin({ secFetchSite, origin }, TRUSTED)).toBe(trusted);
});
