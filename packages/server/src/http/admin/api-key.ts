import { z } from '@hono/zod-openapi';
import type { ApiKeyChange, ApiKeyView } from '@curfew/protocol/wire/api-key';
import { apiKeyChangeView } from '../../actions/api-key-view.ts';
import type { Settled } from '../../actions/settle.ts';
import { KEY_SCOPES } from '../../domain/api-key.ts';
import type { ApiKeyRecord } from '../../store/issued-keys.ts';
import * as shape from '../contract/shapes.ts';
import type { Call } from '../environment.ts';
import { settledBody } from '../respond.ts';

export const scopes = z
  .array(z.enum(KEY_SCOPES))
  .min(1)
  .describe(
    '`verify`: follow the feed, introspect, read metrics. `sessions:open`: open sessions. `sessions:end`: list and end sessions. `users`: read, create and change users without the role `admin`; a key of an application: only the application’s. `admin`: everything; for operators’ keys only.',
  );

/** An API key as the administration shows it: `apiKeyView` in `actions/api-key-view.ts`. */
export const apiKey = z
  .object({
    id: z.number().int(),
    name: z.string(),
    client_id: z
      .string()
      .nullable()
      .describe('The only application whose sessions the key reaches. Null: an operator’s key.'),
    scopes: z.array(z.string()),
    created_at: z.string(),
    created_by: z.string().describe('The actor, as in the log.'),
    expires_at: z.string().nullable(),
    last_used_at: z.string().nullable().describe('Written about once a minute.'),
    revoked_at: z.string().nullable(),
    revoked_by: z.string().nullable(),
  })
  .openapi('ApiKey') satisfies z.ZodType<ApiKeyView>;
export const API_KEY = {
  id: 7,
  name: 'Shop back end',
  client_id: 'shop',
  scopes: ['verify', 'sessions:open', 'sessions:end'],
  created_at: '2026-11-01T08:00:00.000Z',
  created_by: 'user:1',
  expires_at: null,
  last_used_at: '2026-11-20T12:34:56.000Z',
  revoked_at: null,
  revoked_by: null,
};

const { confirmed, ms, acknowledged, waited_out } = shape.logout.shape;
/** A key, and how far its change had propagated. */
export const apiKeyChange = z.object({
  key: apiKey,
  confirmed: confirmed.describe('True when the change holds on every node.'),
  ms,
  acknowledged,
  waited_out,
}) satisfies z.ZodType<ApiKeyChange>;
export const API_KEY_CHANGE = { confirmed: true, ms: 2.4, acknowledged: 2, waited_out: 0 };

export const apiKeyChangeOf = (c: Call, key: ApiKeyRecord, settled: Settled): ApiKeyChange =>
  apiKeyChangeView(key, settled, settledBody(c, settled).ms);
