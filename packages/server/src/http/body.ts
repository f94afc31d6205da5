import { type RouteConfig, z } from '@hono/zod-openapi';
import type { Call } from './environment.ts';

/** Every body of ours is small. */
export const BODY_LIMIT_BYTES = 64 * 1024;

/** The body is larger than the limit. */
export class BodyTooLarge extends Error {
  override name = 'BodyTooLarge';
}

/** What is wrong with an input: the field, and a sentence that may be shown. */
export interface InputFault {
  field: string | null;
  message: string;
  kind: 'malformed' | 'media_type';
}

export type Input<T> = { ok: true; value: T } | { ok: false; fault: InputFault };

const GIVEN_TWICE = 'is given more than once';

/** Whether an address takes only what it knows: those of the product's own API. */
const isStrict = (path: string): boolean => path.startsWith('/v1/');

interface BodyRow<S extends z.ZodType> {
  path: string;
  request: { body: { content: { 'application/json': { schema: S } }; required: boolean } };
}

/** The JSON body of a request, validated by its row's schema. */
export async function readBody<S extends z.ZodType>(c: Call, row: BodyRow<S>): Promise<Input<z.output<S>>> {
  const { content, required } = row.request.body;
  const text = await readText(c);
  if (text === '' && !required) return validate(content['application/json'].schema, {});
  // A form from another site can send text/plain or a form's type without asking first; JSON it cannot (ASVS 3.5.2).
  if (!/^application\/json\s*(;|$)/i.test(c.req.header('content-type') ?? '')) return mediaType();
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return { ok: false, fault: { field: null, message: 'The body is not valid JSON', kind: 'malformed' } };
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    return {
      ok: false,
      fault: { field: null, message: 'The body must be a JSON object', kind: 'malformed' },
    };
  // RFC 7493 section 2.3. Of two, readers differ in which one counts; the four contracts go on taking the last.
  const repeated = isStrict(row.path) ? repeatedMember(text) : null;
  if (repeated !== null)
    return { ok: false, fault: { field: repeated, message: GIVEN_TWICE, kind: 'malformed' } };
  return validate(content['application/json'].schema, parsed);
}

/** The first member that one object of a JSON text has twice, or null. */
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

interface FormRow<S extends z.ZodType> {
  request: { body: { content: { 'application/x-www-form-urlencoded': { schema: S } } } };
}

/** The same for a form, which RFC 7662 and RFC 7009 ask for. Never for a row that a cookie could speak for. */
export async function readForm<S extends z.ZodType>(c: Call, row: FormRow<S>): Promise<Input<z.output<S>>> {
  const text = await readText(c);
  if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(c.req.header('content-type') ?? ''))
    return mediaType('application/x-www-form-urlencoded');
  const fields = new URLSearchParams(text);
  // RFC 6749 section 3.2: parameters must not be given more than once.
  for (const name of new Set(fields.keys()))
    if (fields.getAll(name).length > 1)
      return { ok: false, fault: { field: name, message: GIVEN_TWICE, kind: 'malformed' } };
  return validate(
    row.request.body.content['application/x-www-form-urlencoded'].schema,
    Object.fromEntries(fields),
  );
}

function mediaType(type = 'application/json'): Input<never> {
  return {
    ok: false,
    fault: {
      field: null,
      message: `The body must be sent as Content-Type: ${type}`,
      kind: 'media_type',
    },
  };
}

/**
 * What is wrong with the names in a query: one of the row's that is given twice, and, where the request changes
 * something, one that the row does not know. To an address that is only read a proxy may add its own.
 */
export function queryFault(c: Call, row: RouteConfig): InputFault | null {
  if (!isStrict(row.path)) return null;
  const known = row.request?.query instanceof z.ZodObject ? row.request.query.shape : {};
  for (const [name, values] of Object.entries(c.req.queries())) {
    const isKnown = Object.hasOwn(known, name);
    if (isKnown && values.length > 1) return { field: name, message: GIVEN_TWICE, kind: 'malformed' };
    if (!isKnown && row.method !== 'get')
      return { field: name, message: 'is not known here', kind: 'malformed' };
  }
  return null;
}

/** Query or path parameters, validated by their schema. */
export function readParameters<S extends z.ZodType>(
  schema: S,
  values: Record<string, string>,
): Input<z.output<S>> {
  return validate(schema, values);
}

function validate<S extends z.ZodType>(schema: S, value: unknown): Input<z.output<S>> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return { ok: true, value: parsed.data };
  const [issue] = parsed.error.issues;
  if (issue?.code === 'unrecognized_keys') {
    const field = [...issue.path, issue.keys[0]].join('.');
    return { ok: false, fault: { field, message: 'is not known here', kind: 'malformed' } };
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

/** The body as text, read no further than the limit, whatever Content-Length says. */
async function readText(c: Call): Promise<string> {
  const length = c.req.header('content-length');
  if (length !== undefined && Number(length) > BODY_LIMIT_BYTES) throw new BodyTooLarge();
  if (c.env.incoming) {
    // node:http gives no more than the length that was declared, so the body can be taken at once.
    if (length !== undefined) return length === '0' ? '' : c.req.text();
    // Over HTTP/1.1 a body has a length or is chunked (RFC 9112 section 6.3).
    if (c.req.header('transfer-encoding') === undefined) return '';
  }
  // From a host's own Request there may be neither, and a length is only what somebody says.
  const stream = c.req.raw.body;
  if (!stream) return '';
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream as unknown as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > BODY_LIMIT_BYTES) throw new BodyTooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
