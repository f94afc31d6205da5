import { expect, test } from 'vitest';
import { readConfig } from '../src/config.ts';

test.each([
  ['http://localhost:8000', ['http://localhost:8000', 'http://127.0.0.1:8000']],
  ['http://127.0.0.1:8000', ['http://localhost:8000', 'http://127.0.0.1:8000']],
  // RFC 6761, 6.3: loopback too. A name that was chosen is meant: nothing but it is trusted.
  ['http://id.example.localhost:8000', ['http://id.example.localhost:8000']],
  ['https://id.example.com', ['https://id.example.com']],
])('%s is accepted as issuer, and its pages are trusted', (issuer, trusted) => {
  const config = readConfig({ CURFEW_ISSUER: issuer });
  expect(config.issuer).toBe(issuer);
  expect([...config.trustedOrigins].toSorted()).toEqual(trusted.toSorted());
});

test.each([
  'http://id.example.com',
  'http://localhost.example.com',
  'http://examplelocalhost',
  'http://127.0.0.1.example.com',
])('%s is refused as issuer: it would be reached unencrypted over a network', (issuer) => {
  expect(() => readConfig({ CURFEW_ISSUER: issuer })).toThrow(
    /CURFEW_ISSUER.*plain http is allowed only for loopback/,
  );
});
