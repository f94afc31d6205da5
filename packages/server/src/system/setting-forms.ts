import { isIP } from 'node:net';
import { z } from 'zod';

/*
 * The forms of settings' values. Each has one sentence for values that it rejects. The sentence never quotes the value, which may
 * be a secret.
 */

/** The sentence of a form, for `docs/settings.md`. Null: any text is valid. */
export function sentenceOf(form: z.ZodType): string | null {
  return form.safeParse('\u0000').error?.issues[0]?.message ?? null;
}

/** One setting: its form, its default and its reason. */
export interface Setting {
  form: z.ZodType;
  about: string;
  /** Its old name, which is still understood. */
  was?: string;
  /** Its place in the configuration. Without one, `config.ts` derives a value from it. */
  as?: string;
}

const MOST = 1_000_000_000;

export function integer(least: number, most: number = MOST) {
  const error = `must be a whole number ${most === MOST ? `of at least ${least}` : `from ${least} to ${most}`}`;
  return z
    .string()
    .regex(/^\d{1,10}$/, error)
    .transform(Number)
    .refine((value) => value >= least && value <= most, error);
}

export const seconds = (fallback: number) => integer(1, 31_622_400).default(fallback);

export const flag = z
  .enum(['0', '1', 'true', 'false'], 'must be 1 or 0 (or true or false)')
  .transform((value) => value === '1' || value === 'true');

export const oneOf = <const Names extends readonly string[]>(...names: Names) =>
  z.enum(names, `must be one of ${names.join(', ')}`);

/** A text of one line. */
export const line = z.string().regex(/^[^\p{Cc}]+$/u, 'must be one line of text');

/** Items separated by commas. */
export function list(isItem: (item: string) => boolean, error: string, fallback = '') {
  return z
    .string()
    .default(fallback)
    .transform((value) =>
      value
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== ''),
    )
    .refine((items) => items.every(isItem), error);
}

/** The name or address of an interface. */
export const host = z
  .string()
  .refine(
    (value) => isIP(value) !== 0 || /^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/i.test(value),
    'must be an address or a name without a port, such as 127.0.0.1, ::1 or 0.0.0.0',
  );

/** A public HTTP address: without user, and with nothing after its path. */
export const httpAddress = z
  .string()
  .refine((value) => /^https?:\/\/[^\s?#@]+$/i.test(value) && URL.canParse(value), {
    error:
      'must be an address with http:// or https://, without a user, a query or a fragment: https://auth.example.com',
    abort: true,
  });

const IN_A_PASSWORD = 'In a password write % as %25, # as %23, @ as %40, / as %2F, ? as %3F and : as %3A';
const DATABASE_URL = `must be postgres://user:PASSWORD@host:5432/database or, over a socket, postgres://user@/database?host=/var/run/postgresql. ${IN_A_PASSWORD}`;
const ONE_HOST = 'must name one host: an address that always leads to the writable server. ';
const REDIS_URL = `must be redis://user:PASSWORD@host:6379/0, or rediss:// for TLS. ${IN_A_PASSWORD}`;

/** An address as `pg` reads it: a host, or a socket's directory in its place or as `?host=`. */
export const databaseUrl = z.string().superRefine((value, context) => {
  const parts = partsOf(value, /^postgres(?:ql)?:/i);
  const hosts = parts ? [parts.host, ...parts.parameters.getAll('host')].filter((name) => name !== '') : [];
  const ports = parts ? [parts.port, ...parts.parameters.getAll('port')].filter((port) => port !== '') : [];
  if (parts && [...hosts, ...ports].some((name) => name.includes(',')))
    context.addIssue(ONE_HOST + DATABASE_URL);
  else if (!parts || !hosts.every(isHostOrSocket) || !ports.every(isPort) || /^\/.*\/./.test(parts.path))
    context.addIssue(DATABASE_URL);
});

export const redisUrl = z.string().refine((value) => {
  const parts = partsOf(value, /^rediss?:/i);
  return (
    parts !== null &&
    isHost(parts.host) &&
    (parts.port === '' || isPort(parts.port)) &&
    /^(\/\d*)?$/.test(parts.path)
  );
}, REDIS_URL);

/** An address of a database without user, password and options: safe to show. */
export function placeOfDatabase(url: string): string {
  const parts = partsOf(url, /^/);
  if (!parts) return 'an unreadable address';
  const name = parts.parameters.get('host') ?? (parts.host || 'localhost');
  const port = parts.parameters.get('port') ?? parts.port;
  return name.startsWith('/') || port === '' ? name : `${name}:${port}`;
}

interface AddressParts {
  host: string;
  port: string;
  path: string;
  parameters: URLSearchParams;
}

/**
 * The parts of an address by RFC 3986, decoded. WHATWG's parser knows no sockets, and takes the text after an unescaped # in a
 * password for a fragment.
 * @returns null where a part holds an unescaped separator
 */
function partsOf(url: string, scheme: RegExp): AddressParts | null {
  const [, itsScheme = '', authority = '', path = '', query = ''] =
    /^([a-z]+:)\/\/([^/?]*)(\/[^?]*)?(?:\?(.*))?$/i.exec(url) ?? [];
  if (!scheme.test(itsScheme) || /[#\s\p{Cc}]|%(?![\da-f]{2})/iu.test(url) || `${path}${query}`.includes('@'))
    return null;
  const [, host = '', port = ''] =
    /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(authority.slice(authority.lastIndexOf('@') + 1)) ?? [];
  try {
    const parameters = new URLSearchParams(query);
    return { host: decodeURIComponent(host), port, path, parameters };
  } catch {
    return null;
  }
}

const isHost = (name: string): boolean =>
  /^\[.*\]$/.test(name) ? isIP(name.slice(1, -1)) === 6 : isIP(name) !== 0 || /^[a-z0-9._-]+$/i.test(name);

const isHostOrSocket = (name: string): boolean => name.startsWith('/') || isHost(name);

const isPort = (port: string): boolean =>
  /^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535;

/** For an address to listen on, which IPv6 writes without brackets. */
export const isLoopbackHost = (name: string): boolean => isLoopback(name) || name === '::1';

/** `*.localhost` is loopback too (RFC 6761, 6.3). */
export function isLoopback(hostname: string): boolean {
  return /^(.+\.)?localhost$/.test(hostname) || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}

/** An address, or a network of addresses. */
export function isCidr(item: string): boolean {
  const [address = '', bits, ...rest] = item.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}
