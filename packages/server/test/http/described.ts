/** Holds every answer of a test against the contract: its status is described, its body is of the described shape. */
import { expect } from 'vitest';
import type { RowAnswer as DescribedAnswer, Row } from '../../src/http/contract/row.ts';
import type { Family } from '../../src/http/contract/family.ts';
import { FAMILIES } from '../../src/http/families.ts';
import { SECURITY_HEADERS } from '../../src/http/headers.ts';
import type { Caller, CallOptions } from '../support.ts';

export interface DescribedRow extends Pick<Row, 'method' | 'path' | 'caller' | 'answersOnly'> {
  name: string;
  family: Family;
  responses: Record<string, DescribedAnswer>;
  request?: { body?: { content: Record<string, { example?: unknown }>; required?: boolean } };
}

/** Every row of the contract. */
export const ROWS: DescribedRow[] = FAMILIES.flatMap((family) =>
  family.endpoints.map(({ row }) => ({ name: row.operationId, family, ...row }) as DescribedRow),
);

/** The row that a request falls to; of two that share an address, the one that answers only such requests. */
export function rowOf(method: string, path: string, options: CallOptions = {}): DescribedRow | undefined {
  const segments = (path.split('?')[0] ?? '').split('/');
  const rows = ROWS.filter((row) => {
    const own = row.path.split('/');
    return (
      row.method.toUpperCase() === method &&
      own.length === segments.length &&
      own.every((part, i) => part.startsWith('{') || part === segments[i])
    );
  });
  return (
    rows.find(({ answersOnly }) => answersOnly && isOne(answersOnly, options)) ??
    rows.find(({ answersOnly }) => !answersOnly)
  );
}

function isOne(
  answersOnly: NonNullable<Row['answersOnly']>,
  { bearer, cookie, headers = {}, body }: CallOptions,
): boolean {
  if ('member' in answersOnly)
    return (body as Record<string, unknown> | undefined)?.[answersOnly.member] === answersOnly.is;
  const isCookie = cookie !== undefined || /\bcurfew_session=/.test(headers['cookie'] ?? '');
  return isCookie && bearer === undefined && headers['authorization'] === undefined;
}

const ASKED_WITH_ETAG = /^\/(openapi\.json|docs\/)/;

/** The security headers that every answer carries; JWKS alone may be cached, and only pages have another policy. */
export function expectSecurityHeaders(headers: Headers, path: string): void {
  for (const [name, value] of SECURITY_HEADERS) {
    if (name === 'Cache-Control' && path.startsWith('/.well-known/')) continue;
    // An answer that is the same for all callers is requested with its ETag.
    if (name === 'Cache-Control' && ASKED_WITH_ETAG.test(path)) {
      expect([path, headers.get(name)]).toEqual([
        path,
        expect.stringMatching(/^(public, no-cache|no-store)$/),
      ]);
      continue;
    }
    if (name === 'Content-Security-Policy' && path.startsWith('/docs')) continue;
    expect([path, name, headers.get(name)]).toEqual([path, name, value]);
  }
}

/** The same caller; each answer must be one that the description promises. */
export function described(call: Caller): Caller {
  return async (method, path, options) => {
    const answer = await call(method, path, options);
    expectSecurityHeaders(answer.headers, path);
    const row = rowOf(method, path, options);
    if (!row) return answer;
    const where = `${method} ${row.path} ${answer.status}`;
    const promised = row.responses[answer.status];
    expect([where, promised !== undefined || answer.status === 414]).toEqual([where, true]);
    const mediaType = answer.headers.get('content-type')?.split(';')[0];
    if (!promised?.content || mediaType === undefined) return answer;
    const schema = promised.content[mediaType]?.schema;
    expect([where, mediaType, schema !== undefined]).toEqual([where, mediaType, true]);
    if (schema && mediaType.endsWith('json'))
      expect([where, schema.safeParse(answer.json).error?.message]).toEqual([where, undefined]);
    return answer;
  };
}
