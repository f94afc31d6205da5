import type { Place } from '@curfew/protocol/wire/session';
import { BlockList, isIP } from 'node:net';
import { type CityResponse, open, type Reader } from 'maxmind';
import { ConfigError } from '../config.ts';
import { plainName } from '@curfew/protocol/reading/plain-name';

/** Finds the places of addresses in a local file: no network request, nothing stored. */
export interface Places {
  of(address: string): Place | null;
}

/** For a setup without a place database. */
export const NO_PLACES: Places = { of: () => null };

/** Decoded records to cache; one with names in eight languages takes some kilobytes. */
const REMEMBERED = 1000;
/** The part of a record that is read. A tampered file may hold anything. */
const MOST_LANGUAGES = 32;
const LONGEST_NAME = 100;
const LANGUAGE = /^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}$/;
const COUNTRY = /^[A-Z]{2}$/;

/** Addresses that have no place, whatever a database says (RFC 6890). An IPv4 address in IPv6 counts as IPv4. */
const unplaced = new BlockList();
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const)
  unplaced.addSubnet(network, bits, 'ipv4');
for (const [network, bits] of [
  ['::', 127],
  ['fc00::', 7],
  ['fe80::', 10],
] as const)
  unplaced.addSubnet(network, bits, 'ipv6');

/**
 * Reads a place database (MaxMind's format, .mmdb) into memory. `onDamage` is called with the first record that cannot be read.
 * @throws ConfigError that says what would be right
 */
export async function openPlaces(file: string, onDamage: (error: unknown) => void): Promise<Places> {
  const reader = await readDatabase(file);
  let complained = false;
  return {
    of(address) {
      const family = isIP(address);
      if (family === 0 || unplaced.check(address, family === 6 ? 'ipv6' : 'ipv4')) return null;
      // The reader would look an IPv6 address up in a tree of IPv4.
      if (family === 6 && reader.metadata.ipVersion === 4) return null;
      try {
        return placeOf(reader.get(address));
      } catch (error) {
        // A list of sessions must not fail because of their places.
        if (!complained) onDamage(error);
        complained = true;
        return null;
      }
    },
  };
}

async function readDatabase(file: string): Promise<Reader<CityResponse>> {
  const wrong = (what: string): ConfigError =>
    new ConfigError(
      'CURFEW_PLACES',
      `${what}. Set it to an unpacked city database in MaxMind's format, such as GeoLite2-City.mmdb, or remove the setting.`,
    );
  let reader: Reader<CityResponse>;
  try {
    reader = await open<CityResponse>(file, { cache: { max: REMEMBERED } });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null;
    if (code === 'ENOENT') throw wrong(`${file} does not exist`);
    if (code === 'EACCES' || code === 'EISDIR') throw wrong(`${file} cannot be read (${code})`);
    throw wrong(`${file} is not a place database`);
  }
  const { databaseType } = reader.metadata;
  if (!/city|enterprise/i.test(String(databaseType)))
    throw wrong(
      `${file} is of the type "${plainName(String(databaseType)).slice(0, 100)}", which has no cities`,
    );
  return reader;
}

/** Reads the useful parts of a record, without trusting its shape. */
function placeOf(record: unknown): Place | null {
  const code = inside(record, 'country', 'iso_code');
  const country = typeof code === 'string' && COUNTRY.test(code) ? code : null;
  const names = inside(record, 'city', 'names');
  const city: Record<string, string> = {};
  if (typeof names === 'object' && names !== null)
    for (const [language, name] of Object.entries(names).slice(0, MOST_LANGUAGES)) {
      if (typeof name !== 'string' || !LANGUAGE.test(language)) continue;
      const plain = plainName(
        Array.from(name.slice(0, 2 * LONGEST_NAME))
          .slice(0, LONGEST_NAME)
          .join(''),
      );
      if (plain !== '') city[language] = plain;
    }
  return country === null && Object.keys(city).length === 0 ? null : { city, country };
}

function inside(record: unknown, ...path: string[]): unknown {
  let at = record;
  for (const key of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<string, unknown>)[key];
  }
  return at;
}
