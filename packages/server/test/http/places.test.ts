/** Where an address is, out of a place database that the operator brings; asked over the wire, through a proxy. */
import { existsSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, expect, test } from 'vitest';
import { createAuthority } from '../../src/authority.ts';
import { databaseOf, encode, placeDatabase, type Value } from '../services/place-database.ts';
import { makeScratch } from '../services/scratch.ts';
import {
  type Caller,
  callerOf,
  openAuthority,
  recordingLog,
  routeBackend,
  SERVICE_KEY,
  silent,
  type TestAuthority,
} from '../support.ts';
import { described } from './described.ts';
import { v1Login } from './logins.ts';

const GDANSK = { city: { names: { en: 'Gdańsk', 'zh-CN': '格但斯克' } }, country: { iso_code: 'PL' } };
const HANOI = { city: { names: { en: 'Hanoi' } }, country: { iso_code: 'VN' } };

let on: TestAuthority | undefined;
let server: Server | undefined;
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(null)));
  await on?.close();
  on = server = undefined;
});

/** An authority behind a port of this machine, which believes X-Forwarded-For. */
async function serve(database: Buffer | null): Promise<{ call: Caller; log: () => string }> {
  const file = join(makeScratch('places'), 'city.mmdb');
  if (database) writeFileSync(file, database);
  const { log, text } = recordingLog();
  on = await openAuthority(
    routeBackend(),
    { CURFEW_TRUSTED_PROXIES: '127.0.0.1', ...(database ? { CURFEW_PLACES: file } : {}) },
    { log },
  );
  server = createServer(on.authority.listener);
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { call: described(callerOf((asked) => fetch(asked), `http://127.0.0.1:${port}`)), log: text };
}

/** A login from that address. @returns where "my devices" and the administration say that it is */
async function placed(call: Caller, address: string): Promise<unknown> {
  const from = ((method, path, options = {}) =>
    call(method, path, { ...options, headers: { 'x-forwarded-for': address } })) as Caller;
  const { sid, bearer } = await v1Login(from);
  const find = async (path: string, credential: string): Promise<Record<string, unknown>> => {
    const { json } = await call('GET', path, { bearer: credential });
    return json.sessions.find(({ id }: { id: string }) => id === sid);
  };
  const mine = await find('/v1/sessions', bearer);
  const administrators = await find('/v1/admin/sessions?user_id=2', SERVICE_KEY);
  expect(administrators['ip_address']).toBe(mine['ip_address']);
  expect(administrators['place']).toEqual(mine['place']);
  return mine['place'];
}

test('both lists show the city, in the database’s languages, and the country', async () => {
  const { call } = await serve(
    placeDatabase({
      '203.0.113.0/24': GDANSK,
      '198.51.100.128/25': { country: { iso_code: 'PL' }, registered_country: { iso_code: 'DE' } },
      '2001:db8::/32': HANOI,
    }),
  );
  const gdansk = { city: { en: 'Gdańsk', 'zh-CN': '格但斯克' }, country: 'PL' };
  expect(await placed(call, '203.0.113.7')).toEqual(gdansk);
  expect(await placed(call, '::ffff:203.0.113.7')).toEqual(gdansk);
  expect(await placed(call, '2001:db8::1')).toEqual({ city: { en: 'Hanoi' }, country: 'VN' });
  expect(await placed(call, '198.51.100.200')).toEqual({ city: {}, country: 'PL' });
  expect(await placed(call, '198.51.100.1')).toBe(null);
  expect(await placed(call, '2001:db9::1')).toBe(null);
});

test('special-purpose addresses have no place, whatever the database says', async () => {
  const { call } = await serve(
    placeDatabase({
      '0.0.0.0/1': GDANSK,
      '128.0.0.0/1': GDANSK,
      '8000::/1': GDANSK,
      '::ffff:0:0/96': GDANSK,
    }),
  );
  expect(await placed(call, '8.8.8.8')).not.toBe(null);
  for (const address of ['127.0.0.1', '10.1.2.3', '172.31.0.1', '192.168.1.1', '169.254.1.1', '100.64.0.1'])
    expect(await placed(call, address), address).toBe(null);
  for (const address of ['::1', 'fd00::1', 'fe80::1', '::ffff:a00:1'])
    expect(await placed(call, address), address).toBe(null);
});

test('an IPv4 database gives IPv6 addresses no place', async () => {
  const { call } = await serve(placeDatabase({ '32.1.0.0/16': GDANSK }, { ipVersion: 4 }));
  expect(await placed(call, '32.1.13.184')).not.toBe(null);
  // Begins with the same bits.
  expect(await placed(call, '2001:db8::1')).toBe(null);
});

test('without a database there are no places', async () => {
  const { call } = await serve(null);
  expect(await placed(call, '203.0.113.7')).toBe(null);
});

test('hostile values do no harm', async () => {
  const names = (all: Record<string, Value>): Value => ({
    city: { names: all },
    country: { iso_code: 'PL' },
  });
  const { call, log } = await serve(
    placeDatabase({
      '203.0.113.1/32': names({ en: '<b>Gda\u202e\u2066ńsk\r\n', pl: 'x'.repeat(70_000), de: '\u0007' }),
      '203.0.113.2/32': names({ ['__proto__']: 'x', constructor: 'x', 'en"><': 'x', en: ['Gdańsk'], pl: 7 }),
      '203.0.113.3/32': { city: 'Gdańsk', country: { iso_code: 'Poland' } },
      '203.0.113.4/32': { city: { names: 'Gdańsk' }, country: 'PL' },
      '203.0.113.5/32': 'Gdańsk',
      '203.0.113.6/32': { ['__proto__']: GDANSK },
      '203.0.113.7/32': names(
        Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`en-${i + 10}`, 'Gdańsk'])),
      ),
    }),
  );
  expect(await placed(call, '203.0.113.1')).toEqual({
    city: { en: '<b>Gdańsk', pl: 'x'.repeat(100) },
    country: 'PL',
  });
  expect(await placed(call, '203.0.113.2')).toEqual({ city: {}, country: 'PL' });
  for (const last of [3, 4, 5, 6]) expect(await placed(call, `203.0.113.${last}`), `.${last}`).toBe(null);
  const many = (await placed(call, '203.0.113.7')) as { city: object };
  expect(Object.keys(many.city)).toHaveLength(32);
  expect(log()).not.toContain('damaged');
});

test('an unreadable record costs only its place, and is logged once', async () => {
  // A pointer to itself, and a value of a type that there is not.
  const { call, log } = await serve(
    databaseOf(
      ['203.0.113.1/32', '203.0.113.2/32', '203.0.113.3/32'],
      [Buffer.from([0x20, 0]), Buffer.from([0, 200]), encode(GDANSK)],
    ),
  );
  expect(await placed(call, '203.0.113.1')).toBe(null);
  expect(await placed(call, '203.0.113.2')).toBe(null);
  expect(await placed(call, '203.0.113.3')).not.toBe(null);
  expect(log().split('is damaged')).toHaveLength(2);
});

test.each([
  ['is not there', null, /^CURFEW_PLACES: .*city\.mmdb does not exist\. Set it to an unpacked city database/],
  ['is empty', Buffer.alloc(0), /is not a place database\. Set it to/],
  ['is a text', Buffer.from('Gdańsk\n'.repeat(1000)), /is not a place database\. Set it to/],
  ['is packed', gzipSync(placeDatabase({ '203.0.113.0/24': GDANSK })), /is not a place database\. Set it to/],
  ['is cut short', placeDatabase({ '203.0.113.0/24': GDANSK }).subarray(0, -100), /is not a place database/],
  [
    'knows no cities',
    placeDatabase({}, { type: 'GeoLite2-ASN' }),
    /is of the type "GeoLite2-ASN", which has no/,
  ],
])('a start with a database that %s is refused, before anything is created', async (_what, bytes, says) => {
  const folder = makeScratch('places');
  const CURFEW_PLACES = join(folder, 'city.mmdb');
  const CURFEW_DATA = join(folder, 'data');
  if (bytes) writeFileSync(CURFEW_PLACES, bytes);
  await expect(createAuthority({ settings: { CURFEW_PLACES, CURFEW_DATA }, log: silent })).rejects.toThrow(
    says,
  );
  expect(existsSync(CURFEW_DATA)).toBe(false);
});
