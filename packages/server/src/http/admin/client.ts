import type { ClientChange, ClientView } from '@curfew/protocol/wire/client';
import { z } from '@hono/zod-openapi';
import type { changeClient } from '../../actions/change-client.ts';
import { faultIn } from '../../actions/client-fields.ts';
import { clientView } from '../../actions/client-view.ts';
import * as field from '../../actions/fields.ts';
import { inputFault } from '../contract/body.ts';
import * as shape from '../contract/shapes.ts';
import type { Call } from '../environment.ts';
import { refuse, refuseInput, settledBody } from '../respond.ts';

export const clientParam = z.object({ id: field.clientId.openapi({ example: 'shop' }) });

/** A client as the administration shows it: `clientView` in `actions/client-view.ts`. */
export const client = z
  .object({
    client_id: z.string(),
    name: z.string(),
    audience: z.string().nullable(),
    algorithm: z.string(),
    idle_seconds: z.number().int().nullable(),
    absolute_seconds: z.number().int().nullable(),
    access_token_seconds: z.number().int().nullable(),
    opaque_access_seconds: z.number().int().nullable(),
    grant_types: z.array(z.string()),
    external_issuers: z.array(z.string()),
    built_in: z.boolean().describe('It always exists, and has the audience of Curfew.'),
    created_at: z.string(),
    disabled_at: z.string().nullable(),
  })
  .openapi('Client') satisfies z.ZodType<ClientView>;
export const CLIENT = {
  client_id: 'shop',
  name: 'The shop',
  audience: 'https://shop.example',
  algorithm: 'EdDSA',
  idle_seconds: 1800,
  absolute_seconds: null,
  access_token_seconds: null,
  opaque_access_seconds: null,
  grant_types: ['password', 'service'],
  external_issuers: ['default'],
  built_in: false,
  created_at: '2026-11-01T08:00:00.000Z',
  disabled_at: null,
};

/** A client after a change, how many sessions the change ended, and how far it has propagated. */
export const clientChange = z.object({
  client,
  ...shape.logout.shape,
}) satisfies z.ZodType<ClientChange>;
export const CLIENT_CHANGE = { client: CLIENT, ...shape.LOGOUT_EXAMPLE, ended: 0 };

export const confirmedCount = z
  .number()
  .int()
  .min(0)
  .optional()
  .describe('The number of sessions that may end; the real number may differ by a twentieth.');

/** Answers a change of a client. */
export function answerChange(
  c: Call,
  changed: Awaited<ReturnType<typeof changeClient>>,
  status: 200 | 201 = 200,
): Response {
  switch (changed.outcome) {
    case 'unknown':
      return refuse(c, 'not_found');
    case 'taken':
      return refuse(c, 'conflict', { field: 'client_id' });
    case 'fault': {
      const { field: name, message } = faultIn(changed.fault);
      return refuseInput(c, inputFault(name, message));
    }
    case 'confirmation_required':
      return refuse(c, 'confirmation_required', { count: changed.count });
    case 'done':
      return c.json({ client: clientView(changed.client), ...settledBody(c, changed.settled) }, status);
  }
}
