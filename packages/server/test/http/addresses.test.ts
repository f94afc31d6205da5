import { describe, expect, test } from 'vitest';
import { sourceOf } from '../../src/actions/log-in.ts';
import { createAddressReader } from '../../src/http/address.ts';
import { hasPostgres } from '../services/fresh-database.ts';
import { openAuthority, PASSWORD, SERVICE_KEY } from '../support.ts';
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
    expect(read(peer, header)).toBe(expected);
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
    ['a port is no address', '10.0.0.1', '203.0.113.9:80', '10.0.0.1'],
    ['a network that ends before', '11.0.0.1', '203.0.113.9', '11.0.0.1'],
  ])('%s', (_name, peer, header, expected) => {
    expect(read(peer, header)).toBe(expected);
  });
});

describe('the source that limits count by', () => {
  test.each([
    [null, ''],
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
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
  const on = await openAuthority(hasPostgres() ? 'postgres' : 'embedded', {
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
