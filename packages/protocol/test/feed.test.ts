import { cutOthers, tenantKey, userKey } from '@curfew/protocol/cuts';
import { sessionKey } from '@curfew/protocol/ended-ids';
import {
  agreedVersion,
  decodeNodeMessage,
  decodeVerifierMessage,
  encodeNodeMessage,
  FEED_VERSION,
  inVersion1,
  type NodeMessage,
  partMessage,
  speaksFeed,
  type VerifierMessage,
} from '@curfew/protocol/feed-messages';
import { Replica } from '@curfew/protocol/replica';
import { describe, expect, test } from 'vitest';
import { session, sidOf } from './sessions.ts';

const cut = { key: userKey('7'), ...cutOthers(9, sidOf(1)) };
const toVerifier: NodeMessage[] = [
  {
    t: 'welcome',
    v: FEED_VERSION,
    node: 'n',
    lease: 1000,
    keep: 9000,
    tokenLife: 300,
    issuer: 'https://auth.example',
    audiences: ['https://api.example'],
    cookies: ['__Host-curfew_session'],
  },
  { t: 'cuts', cuts: [cut] },
  { t: 'ids', ids: [sessionKey(sidOf(1)), { a: 0x7fffffff, b: -1, c: -(2 ** 31) }, { a: 0, b: 0, c: 1 }] },
  { t: 'ids', ids: [] },
  { t: 'snapshot', seq: 4, parts: 3 },
  { t: 'ending', seq: 5, ids: [sidOf(1)], cuts: [cut], changed: ['7'] },
  { t: 'renewed', n: 1, age: 12.5, seq: 5, now: 1.7e12 },
  { t: 'keys', keys: [{ kid: 'k', alg: 'EdDSA' }] },
];
const toNode: VerifierMessage[] = [
  { t: 'hello', v: FEED_VERSION, replica: 'r' },
  { t: 'hello', v: 1, newest: FEED_VERSION, replica: 'r' },
  { t: 'renew', n: 3 },
  { t: 'ack', seq: 0 },
  { t: 'used', sessions: [[sidOf(1), 250]] },
];

describe('the codec of the feed', () => {
  test.each(toVerifier)('$t is decoded as it was sent', (message) => {
    const sent = encodeNodeMessage(message);
    expect(decodeNodeMessage(sent)).toEqual(message);
    if (typeof sent === 'string') return;
    expect(message.t).toBe('ids');
    // Wherever in a larger buffer the bytes lie.
    const larger = new Uint8Array(sent.length + 7);
    larger.set(sent, 5);
    expect(decodeNodeMessage(larger.subarray(5, 5 + sent.length))).toEqual(message);
  });

  test.each(toNode)('$t of a verifier is decoded as it was sent', (message) => {
    expect(decodeVerifierMessage(JSON.stringify(message))).toEqual(message);
  });

  test.each([
    '',
    'null',
    '7',
    '[]',
    '{}',
    '{"t":1}',
    '{"t":"other"}',
    '{"t":"hello","v":"1","replica":"r"}',
    '{"t":"hello","v":1}',
    '{"t":"other","v":1,"replica":"r"}',
    '{"t":"renew","n":1e999}',
    '{"t":"renew"}',
    '{"t":"renew","n":null}',
    '{"t":"ack","seq":"5"}',
    '{"t":"used","sessions":{}}',
    '{"t":"used","sessions":[["a"]]}',
    '{"t":"used","sessions":[[1,2]]}',
    '{"t":"used","sessions":[["a",2],[1,2]]}',
    '{"t":"hello","v":2,"replica":"r","newest":"5"}',
  ])('%s is rejected as a verifier’s message', (text) => {
    expect(() => decodeVerifierMessage(text)).toThrow();
  });

  test('a piece of a snapshot with half an id is rejected', () => {
    expect(() => decodeNodeMessage(new Uint8Array(13))).toThrow('12 bytes');
    expect(() => decodeNodeMessage('nothing')).toThrow();
    expect(() => decodeNodeMessage('{"u":1}')).toThrow();
    expect(() => decodeNodeMessage('null')).toThrow('invalid feed message');
  });

  test('the error about an invalid message quotes only its beginning', () => {
    const text = `{"t":"other","more":"${'x'.repeat(1000)}"}`;
    expect(() => decodeVerifierMessage(text)).toThrow(
      new Error(`invalid feed message: ${text.slice(0, 80)}`),
    );
  });

  test('a whole replica crosses the wire', () => {
    const [from, to] = [new Replica(1e6, 0), new Replica(1e6, 0)];
    for (let n = 0; n < 500; n++) from.apply({ ids: [sidOf(2 * n)], cuts: [] }, 0);
    from.apply({ ids: [], cuts: [cut] }, 0);
    for (const part of from.parts()) {
      const message = decodeNodeMessage(encodeNodeMessage(partMessage(part)));
      if (message.t === 'ids' || message.t === 'cuts') to.fill(message, 0);
    }
    for (let n = 0; n < 1000; n++)
      expect(to.ends(session({ sid: sidOf(n), subject: '1' }))).toBe(n % 2 === 0);
    expect(to.ends(session({ sid: sidOf(3), born: 8 }))).toBe(true);
    expect(to.ends(session({ sid: sidOf(1), born: 8 }))).toBe(false);
  });
});

describe('two versions', () => {
  test.each([
    ['a verifier of version 1', { v: 1 }, 1],
    ['a verifier of this version', { v: 1, newest: FEED_VERSION }, FEED_VERSION],
    ['a newer verifier that speaks this version', { v: 2, newest: 9 }, FEED_VERSION],
    ['a newer verifier that does not', { v: 9, newest: 11 }, null],
    ['a verifier of before version 1', { v: 0 }, null],
    ['nonsense', { v: 2, newest: 1 }, null],
  ] as const)('%s', (_, hello, agreed) => {
    expect(agreedVersion({ t: 'hello', replica: 'r', ...hello })).toBe(agreed);
  });

  test.each([0, 1.5, Number.NaN, FEED_VERSION + 1])('version %d is not spoken', (version) => {
    expect(speaksFeed(version)).toBe(false);
  });

  test('in version 1 users are numbers, and cuts of newer kinds are left out', () => {
    const tenant = { key: tenantKey('acme'), ...cutOthers(9, sidOf(1)) };
    const ending: NodeMessage = { t: 'ending', seq: 5, ids: [], cuts: [cut, tenant], changed: ['7'] };
    expect(inVersion1(ending)).toEqual({ t: 'ending', seq: 5, ids: [], cuts: [cut], changed: [7] });
    expect(inVersion1({ t: 'cuts', cuts: [tenant, cut] })).toEqual({ t: 'cuts', cuts: [cut] });
    expect(decodeNodeMessage(encodeNodeMessage(inVersion1(ending)))).toEqual({ ...ending, cuts: [cut] });
  });
});
