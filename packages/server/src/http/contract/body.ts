import { z } from '@hono/zod-openapi';
import { decodePercent, decodeUtf8, jsonTextFault } from '../../domain/unicode.ts';
import type { Call } from '../environment.ts';
import type { FormBody, InputOf, JsonBody, Row } from './row.ts';

/** Every body is small. */
const BODY_LIMIT_BYTES = 64 * 1024;

/** The body is larger than the limit. */
export class BodyTooLarge extends Error {
  override name = 'BodyTooLarge';
}

/** A fault of an input: the field, and a public sentence. */
export interface InputFault {
  field: string | null;
  message: string;
  kind: 'malformed' | 'media_type';
}

type Input<T> = { ok: true; value: T } | { ok: false; fault: InputFault };

const GIVEN_TWICE = 'is given more than once';

/** Whether an address rejects unknown members: those of `/v1` do. */
const isStrict = (path: string): boolean => path.startsWith('/v1/');

/** The faults of a request that a row finds: parameters first, then the body. */
export async function readInput<R extends Row>(c: Call, row: R): Promise<Input<InputOf<R>>> {
  const { params, query, body, asWritten } = row.request ?? {};
  const parts: Record<string, unknown> = {};
  for (const [name, schema, values] of [
    ['params', params, () => c.req.param()],
    ['query', query, () => c.req.query()],
  ] as const) {
    if (!schema) continue;
    const read = asWritten ? { ok: true as const, value: values() } : readParameters(schema, values());
    if (!read.ok) return read;
    parts[name] = read.value;
  }
  if (body) {
    const read = await ('application/json' in body.content
      ? readJson(c, body as JsonBody, isStrict(row.path))
      : readForm(c, body as FormBody));
    if (!read.ok) return read;
    parts['body'] = read.value;
  }
  return { ok: true, value: parts as unknown as InputOf<R> };
}

/** Reads the JSON body of a request. @param strict rejects repeated members */
async function readJson(c: Call, { content, required }: JsonBody, strict: boolean): Promise<Input<unknown>> {
  const bytes = await readBytes(c);
  if (bytes.length === 0 && !required) return validate(content['application/json'].schema, {});
  // A form on another site can send text/plain or a form's type without a preflight, but not JSON (ASVS 3.5.2).
  if (!isOfType(c, 'application/json')) return mediaType('application/json');
  const text = decodeUtf8(bytes);
  if (text === null) return malformed(null, NOT_UTF8);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return malformed(null, 'The body is not valid JSON');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    return malformed(null, 'The body must be a JSON object');
  // RFC 7493 section 2.3: readers differ in which of two members counts. The four contracts continue to take the last.
  const repeated = strict ? repeatedMember(text) : null;
  if (repeated !== null) return malformed(repeated, GIVEN_TWICE);
  // In UTF-8 only an escape can yield half a surrogate pair, or NUL.
  const fault = ESCAPED.test(text) ? jsonTextFault(parsed) : null;
  if (fault) {
    const field = fault.path.join('.');
    return field === '' ? malformed(null, `The body ${fault.message}`) : malformed(field, fault.message);
  }
  return validate(content['application/json'].schema, parsed);
}

const NOT_UTF8 = 'The body is not UTF-8';
const ESCAPED = /\\u(?:[dD][89a-fA-F]|0000)/;

/** The first member that an object in a JSON text has twice, or null. */
function repeatedMember(json: string): string | null {
  const open: (Set<string> | null)[] = [];
  let isName = false;
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]/g)) {
    const seen = open.at(-1);
    if (isName && token.startsWith('"') && seen) {
      const name = JSON.parse(token) as string;
      if (seen.has(name)) return name;
      seen.add(name);
    }
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(null);
    else if (token === '}' || token === ']') open.pop();
    isName = token === '{' || token === ',';
  }
  return null;
}

/** Reads the fields of a form. */
export async function readForm<S extends z.ZodType>(c: Call, body: FormBody<S>): Promise<Input<z.output<S>>> {
  const bytes = await readBytes(c);
  if (!isOfType(c, 'application/x-www-form-urlencoded'))
    return mediaType('application/x-www-form-urlencoded');
  const text = decodeUtf8(bytes);
  if (text === null) return malformed(null, NOT_UTF8);
  const fault = encodedFault(text);
  if (fault) return { ok: false, fault };
  const fields = new URLSearchParams(text);
  // RFC 6749 section 3.2: parameters must not be repeated.
  for (const name of new Set(fields.keys()))
    if (fields.getAll(name).length > 1) return malformed(name, GIVEN_TWICE);
  const { schema } = body.content['application/x-www-form-urlencoded'];
  return readParameters(schema, Object.fromEntries(fields));
}

/** A fault of one field, or of the whole input. */
export const inputFault = (field: string | null, message: string): InputFault => ({
  field,
  message,
  kind: 'malformed',
});

const malformed = (field: string | null, message: string): { ok: false; fault: InputFault } => ({
  ok: false,
  fault: inputFault(field, message),
});

/** Whether the body has that type, and is in UTF-8 if it names a charset. */
function isOfType(c: Call, type: string): boolean {
  const [name = '', ...parameters] = (c.req.header('content-type') ?? '').split(';');
  return (
    name.trim().toLowerCase() === type &&
    parameters.every((parameter) => {
      const [key = '', value = ''] = parameter.split('=');
      return key.trim().toLowerCase() !== 'charset' || /^("?)utf-?8\1$/i.test(value.trim());
    })
  );
}

function mediaType(type: string): Input<never> {
  return {
    ok: false,
    fault: {
      field: null,
      message: `The body must be sent as Content-Type: ${type}, in UTF-8`,
      kind: 'media_type',
    },
  };
}

/** The fault of a query's text. @param known the only parameters to look at; default: all */
export function queryTextFault(c: Call, known?: readonly string[]): InputFault | null {
  const at = c.req.url.indexOf('?');
  return at === -1 ? null : encodedFault(c.req.url.slice(at + 1).split('#', 1)[0] ?? '', known);
}

/** The fault of a form's or query's text, found before decoding, because a decoder would replace it by U+FFFD. */
function encodedFault(text: string, known?: readonly string[]): InputFault | null {
  for (const pair of text.split('&')) {
    const at = pair.indexOf('=');
    const [name = '', value = ''] = at === -1 ? [pair] : [pair.slice(0, at), pair.slice(at + 1)];
    const field = decodePercent(name.replaceAll('+', ' '));
    if (known !== undefined && (field === null || !known.includes(field))) continue;
    if (field === null)
      return { field: null, message: 'A parameter has a name that is not UTF-8', kind: 'malformed' };
    if (decodePercent(value) === null) return { field, message: 'must be UTF-8', kind: 'malformed' };
  }
  return null;
}

/** The query parameters of a row, by name. */
export const parametersOf = (row: Row): object => row.request?.query?.shape ?? {};

/**
 * The fault of the names in a query: a repeated parameter, and, where the request changes something, an unknown one. To an
 * address that only reads, a proxy may add its own.
 */
export function queryFault(c: Call, row: Row): InputFault | null {
  if (!isStrict(row.path)) return null;
  const known = parametersOf(row);
  for (const [name, values] of Object.entries(c.req.queries())) {
    const isKnown = Object.hasOwn(known, name);
    if (isKnown && values.length > 1) return { field: name, message: GIVEN_TWICE, kind: 'malformed' };
    if (!isKnown && row.method !== 'get')
      return { field: name, message: 'is not a known field', kind: 'malformed' };
  }
  return null;
}

/** Validates the parameters of a query, path or form by their schema. */
function readParameters<S extends z.ZodType>(schema: S, values: Record<string, string>): Input<z.output<S>> {
  const fault = jsonTextFault(values);
  if (fault) return malformed(fault.path.join('.') || null, fault.message);
  return validate(schema, values);
}

function validate<S extends z.ZodType>(schema: S, value: unknown): Input<z.output<S>> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return { ok: true, value: parsed.data };
  const [issue] = parsed.error.issues;
  if (issue?.code === 'unrecognized_keys') {
    const field = [...issue.path, issue.keys[0]].join('.');
    return { ok: false, fault: { field, message: 'is not a known field', kind: 'malformed' } };
  }
  const field = issue?.path.join('.') || null;
  const absent = issue !== undefined && field !== null && valueAt(value, issue.path) === undefined;
  return {
    ok: false,
    fault: { field, message: absent ? 'is required' : (issue?.message ?? 'is not valid'), kind: 'malformed' },
  };
}

function valueAt(value: unknown, path: PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, key) =>
      typeof inner === 'object' && inner !== null ? (inner as Record<PropertyKey, unknown>)[key] : undefined,
    value,
  );
}

/** A member of a JSON body, by which one of two rows is chosen; undefined if there is none. The chosen row judges the body. */
export async function jsonMember(c: Call, name: string): Promise<unknown> {
  try {
    return (JSON.parse(decodeUtf8(await readBytes(c)) ?? '') as Record<string, unknown>)[name];
  } catch {
    return undefined;
  }
}

/** Reads the body up to the limit, whatever Content-Length says. */
function readBytes(c: Call): Promise<Uint8Array> {
  const bytes = c.get('bytes') ?? receiveBytes(c);
  c.set('bytes', bytes);
  return bytes;
}

async function receiveBytes(c: Call): Promise<Uint8Array> {
  const length = c.req.header('content-length');
  if (length !== undefined && Number(length) > BODY_LIMIT_BYTES) throw new BodyTooLarge();
  if (c.env.incoming) {
    // node:http delivers no more than the declared length, so the body can be read at once.
    if (length !== undefined) return length === '0' ? NOTHING : new Uint8Array(await c.req.arrayBuffer());
    // Over HTTP/1.1 a body has a length or is chunked (RFC 9112 section 6.3).
    if (c.req.header('transfer-encoding') === undefined) return NOTHING;
  }
  // A host's own Request may have neither, and its length is only a claim.
  const stream = c.req.raw.body;
  if (!stream) return NOTHING;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream as unknown as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > BODY_LIMIT_BYTES) throw new BodyTooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const NOTHING = new Uint8Array();
