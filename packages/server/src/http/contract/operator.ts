import { z } from '@hono/zod-openapi';
import { json, problems, row, SERVICE } from './row.ts';

const TAG = ['Operation'];

export const health = row({
  method: 'get',
  path: '/healthz',
  tags: TAG,
  summary: 'The process runs',
  responses: { 200: json('It runs.', z.object({ status: z.literal('ok') }), { status: 'ok' }) },
});

export const ready = row({
  method: 'get',
  path: '/readyz',
  tags: TAG,
  summary: 'The process can serve',
  description:
    'A writable primary answers. Redis is named, and never makes the process unready: nothing depends on it.',
  responses: {
    200: json(
      'Ready.',
      z.object({ status: z.literal('ready'), redis: z.enum(['up', 'down', 'off']), nodes: z.number().int() }),
      { status: 'ready', redis: 'off', nodes: 1 },
    ),
    ...problems('unavailable'),
  },
});

export const metrics = row({
  method: 'get',
  path: '/metrics',
  tags: TAG,
  summary: 'Prometheus metrics',
  description: 'From this machine itself, or with a service key.',
  security: SERVICE,
  responses: {
    200: {
      description: 'Metrics.',
      content: { 'text/plain': { schema: z.string(), example: 'curfew_logouts_total 42\n' } },
    },
    ...problems('forbidden'),
  },
});

export const jwks = row({
  method: 'get',
  path: '/.well-known/jwks.json',
  tags: TAG,
  summary: 'Public keys (RFC 7517)',
  description:
    'Who checks a JWT with these alone does not see a logout before the token runs out (5 minutes); ask /v1/check instead.',
  responses: {
    200: json('The key set.', z.object({ keys: z.array(z.record(z.string(), z.unknown())) }), {
      keys: [{ kty: 'OKP', crv: 'Ed25519', x: '…', kid: 'u0x…', alg: 'EdDSA', use: 'sig' }],
    }),
  },
});

export const openapi = row({
  method: 'get',
  path: '/openapi.json',
  tags: TAG,
  summary: 'This description',
  responses: {
    200: json('OpenAPI 3.1.', z.record(z.string(), z.unknown()), { openapi: '3.1.0' }),
    304: { description: 'Unchanged since the answer whose `ETag` is in `If-None-Match`.' },
  },
});

export const docs = row({
  method: 'get',
  path: '/docs',
  tags: TAG,
  summary: 'This description as a page, to be tried',
  responses: {
    200: {
      description: 'The page.',
      content: { 'text/html': { schema: z.string(), example: '<!doctype html>…' } },
    },
  },
});
