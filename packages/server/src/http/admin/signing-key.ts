import type { SigningKey } from '@curfew/protocol/wire/signing-key';
import { z } from '@hono/zod-openapi';

export const signingKeyView = z
  .object({
    kid: z.string(),
    alg: z.string(),
    created_at: z.string(),
    signs_from: z.string(),
    state: z.enum(['published', 'signing', 'kept', 'retired']),
  })
  .openapi('Key') satisfies z.ZodType<SigningKey>;
export const SIGNING_KEY = {
  kid: 'u0x…',
  alg: 'EdDSA',
  created_at: '2026-11-01T08:00:00.000Z',
  signs_from: '2026-11-01T08:00:00.000Z',
  state: 'signing',
};
