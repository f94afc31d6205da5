import { z } from '@hono/zod-openapi';
import { NOBODY } from '../../domain/caller-rule.ts';
import { json } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';

export const getPublicKeys = serveRow(
  {
    method: 'get',
    path: '/.well-known/jwks.json',
    operationId: 'getPublicKeys',
    tags: ['Operation'],
    summary: 'Public keys (RFC 7517)',
    description:
      'A caller that checks a JWT with these keys alone sees a logout only when the token expires (5 minutes). Call /v1/check instead.',
    caller: NOBODY,
    responses: {
      200: json('The key set.', z.object({ keys: z.array(z.record(z.string(), z.unknown())) }), {
        keys: [{ kty: 'OKP', crv: 'Ed25519', x: '…', kid: 'u0x…', alg: 'EdDSA', use: 'sig' }],
      }),
    },
  },
  // The only cacheable answer, for less time than a new key is published before it signs.
  ({ c, world }) => c.json(world.keys.publish(), 200, { 'cache-control': 'public, max-age=300' }),
);
