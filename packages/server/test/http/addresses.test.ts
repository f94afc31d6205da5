import { describe, expect, test } from 'vitest';
import { canonicalAddress, sourceOf } from '../../src/domain/ip-address.ts';
import { createAddressReader } from '../../src/http/address.ts';
import { openAuthority, PASSWORD, routeBackend, SERVICE_KEY } from '../support.ts';
import { USER } from './logins.ts';

describe('without trusted proxies', () => {
  const read = createAddressReader([]);
  test.each([
    ['192.0.2.1', '203.0.113.9', '192.0.2.1'],
    ['127.0.0.1', '203.0.113.9', '127.0.0.1'],
    ['::1', '203.0.113.9', '::1'],
    ['::ffff:192.0.2.1', null, '192.0.2.1'],
    ['::FFFF:192.0.2.1', null, '192.0.2.1'],
    ['2001:db8::1', '127.0.0.1', '2001:db8::1'],
    [undefined, '203.0.113.9', null],
    ['', '203.0.113.9', null],
    ['a unix socket', '203.0.113.9', null],
  ])('%s with X-Forwarded-For %s: %s', (peer, header, expected) => {
    expect(read(peer, { xForwardedFor: header, forwarded: null })).toBe(expected);
  });
});

describe('with trusted proxies', () => {
  const read = createAddressReader(['10.0.0.0/8', '127.0.0.1', '2001:db8:ffff::/48', '::1']);
  test.each([
    ['nobody forwarded', '10.0.0.1', null, '10.0.0.1'],
    ['one proxy', '10.0.0.1', '203.0.113.9', '203.0.113.9'],
    ['two proxies', '10.0.0.1', '203.0.113.9, 10.1.1.1', '203.0.113.9'],
    [
      'what the client wrote itself is left of it',
      '10.0.0.1',
      '1.1.1.1, 203.0.113.9, 10.1.1.1',
      '203.0.113.9',
    ],
    ['a client that names a trusted address', '10.0.0.1', '127.0.0.1, 203.0.113.9', '203.0.113.9'],
    ['a stranger is not believed', '203.0.113.9', '10.0.0.1', '203.0.113.9'],
    ['an IPv6 peer', '::1', '2001:db8::7', '2001:db8::7'],
    ['an IPv6 network', '2001:db8:ffff::5', '2001:db8::7, 2001:db8:ffff:1::2', '2001:db8::7'],
    ['an IPv4 peer seen through an IPv6 socket', '::ffff:10.0.0.1', '203.0.113.9', '203.0.113.9'],
    ['a hop seen so', '10.0.0.1', '::ffff:203.0.113.9', '203.0.113.9'],
    ['rubbish ends the walk', '10.0.0.1', 'unknown', '10.0.0.1'],
    ['rubbish on the right', '10.0.0.1', '203.0.113.9, evil', '10.0.0.1'],
    ['an empty entry', '10.0.0.1', '203.0.113.9,', '10.0.0.1'],
    ['only proxies', '10.0.0.1', '10.0.0.2, 10.0.0.3', '10.0.0.2'],
    ['with a port, as Azure writes it', '10.0.0.1', '203.0.113.9:80', '203.0.113.9'],
    ['each hop with a port', '10.0.0.1', '203.0.113.9:80, 10.1.1.1:443', '203.0.113.9'],
    ['a port that is none', '10.0.0.1', '203.0.113.9:port', '10.0.0.1'],
    ['a port by another name', '10.0.0.1', '203.0.113.9:_p1', '203.0.113.9'],
    ['IPv6 in brackets', '10.0.0.1', '[2001:db8::7]', '2001:db8::7'],
    ['IPv6 in brackets with a port', '10.0.0.1', '[2001:db8::7]:4711', '2001:db8::7'],
    ['IPv4 in brackets is none', '10.0.0.1', '[203.0.113.9]', '10.0.0.1'],
    ['in quotes', '10.0.0.1', '"203.0.113.9:80"', '203.0.113.9'],
    ['in quotes with escapes', '10.0.0.1', '"\\[2001:db8::7\\]:80"', '2001:db8::7'],
    ['a comma in quotes', '10.0.0.1', '1.1.1.1, for="203.0.113.9";by="a,b"', '203.0.113.9'],
    ['a quote that is never closed', '10.0.0.1', '"1.1.1.1, 203.0.113.9', '203.0.113.9'],
    ['with for=', '10.0.0.1', 'for=203.0.113.9', '203.0.113.9'],
    ['IPv4 in IPv6 in hexadecimal', '10.0.0.1', '::ffff:cb00:7109', '203.0.113.9'],
    ['a proxy spelled so', '10.0.0.1', '203.0.113.9, ::ffff:a01:101', '203.0.113.9'],
    ['the same in full', '10.0.0.1', '0:0:0:0:0:FFFF:203.0.113.9', '203.0.113.9'],
    ['a zone', '10.0.0.1', 'fe80::7%eth0', 'fe80::7'],
    ['a zone in brackets', '10.0.0.1', '[fe80::7%25eth0]:80', 'fe80::7'],
    ['another spelling of IPv6', '10.0.0.1', '2001:DB8:0::0007', '2001:db8::7'],
    ['a name that hides it', '10.0.0.1', 'for=_hidden', '10.0.0.1'],
    ['a hidden proxy before the client', '10.0.0.1', '203.0.113.9, unknown', '10.0.0.1'],
    ['a network that ends before', '11.0.0.1', '203.0.113.9', '11.0.0.1'],
  ])('%s', (_name, peer, header, expected) => {
    expect(read(peer, { xForwardedFor: header, forwarded: null })).toBe(expected);
  });
});

describe('RFC 7239', () => {
  const read = createAddressReader(['10.0.0.0/8', '::ffff:192.0.2.0/120']);
  test.each([
    ['for=203.0.113.9', '203.0.113.9'],
    ['For="203.0.113.9:4711"', '203.0.113.9'],
    ['for="[2001:db8:cafe::17]:4711"', '2001:db8:cafe::17'],
    ['proto=https; for=203.0.113.9;by=10.0.0.1', '203.0.113.9'],
    ['for=1.1.1.1, for=203.0.113.9, for=10.1.1.1', '203.0.113.9'],
    ['for=203.0.113.9, for=192.0.2.7', '203.0.113.9'],
    ['for=203.0.113.9;host="a;b,c"', '203.0.113.9'],
    ['proto=https', '10.0.0.1'],
    ['for=unknown', '10.0.0.1'],
    ['', '10.0.0.1'],
  ])('%s: %s', (forwarded, expected) => {
    expect(read('10.0.0.1', { xForwardedFor: null, forwarded })).toBe(expected);
  });

  test('a client cannot add it beside the X-Forwarded-For of its proxy', () => {
    const headers = { xForwardedFor: '203.0.113.9', forwarded: 'for=1.1.1.1' };
    expect(read('10.0.0.1', headers)).toBe('203.0.113.9');
  });

  test('an untrusted peer is ignored', () => {
    expect(read('203.0.113.9', { xForwardedFor: null, forwarded: 'for=1.1.1.1' })).toBe('203.0.113.9');
  });

  test('a long header is read in little time', () => {
    // So long that reading it more than once for each part would take longer than a test may.
    for (const piece of ['"', '",', '"\\', '\\"', ',', '[:', 'for=;'])
      expect(read('10.0.0.1', { xForwardedFor: piece.repeat(200_000), forwarded: null })).toBe('10.0.0.1');
  });
});

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:c000:201', '192.0.2.1'],
  ['2001:0DB8::0:1', '2001:db8::1'],
  ['::', '::'],
  ['010.0.0.1', null],
  ['unknown', null],
  ['', null],
])('the canonical spelling of %s is %s', (text, spelling) => {
  expect(canonicalAddress(text)).toBe(spelling);
});

describe('the source that limits count by', () => {
  test.each([
    [null, ''],
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:102:304', '1.2.3.4'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002::9', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['2001:db8:1::6', '2001:db8:1:0::/64'],
    ['2001:db8::6', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['1::', '1:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
  ])('%s: %s', (address, source) => {
    expect(sourceOf(address)).toBe(source);
  });
});

test.each([
  ['', '10.0.0.1'],
  ['10.0.0.0/8', '203.0.113.9'],
])('with CURFEW_TRUSTED_PROXIES "%s" the log has %s', async (proxies, expected) => {
  const on = await openAuthority(routeBackend(), {
    CURFEW_TRUSTED_PROXIES: proxies,
  });
  try {
    const { status } = await on.call('POST', '/v1/login', {
      body: { email: USER, password: PASSWORD },
      address: '10.0.0.1',
      headers: { 'x-forwarded-for': '1.1.1.1, 203.0.113.9' },
    });
    expect(status).toBe(200);
    const { json } = await on.call('GET', '/v1/admin/events?limit=1', { bearer: SERVICE_KEY });
    expect(json.events[0]).toMatchObject({ type: 'session_started', ip_address: expected });
  } finally {
    await on.close();
  }
});
