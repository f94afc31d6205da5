import { plainName } from '@curfew/protocol/reading/plain-name';
import { SIGNING_ALGORITHMS } from '@curfew/protocol/claims';
import type { ClientView } from '@curfew/protocol/wire/client';
import { z } from '@hono/zod-openapi';
import type { changeClient } from '../../actions/change-client.ts';
import { clientView } from '../../actions/client-view.ts';
import * as field from '../../actions/fields.ts';
import { type ClientTermsChange, GRANT_TYPES } from '../../domain/client-terms.ts';
import { inputFault } from '../contract/body.ts';
import * as shape from '../contract/shapes.ts';
import type { Call } from '../environment.ts';
import { refuse, refuseInput, settledBody } from '../respond.ts';

export const clientParam = z.object({ id: field.clientId.openapi({ example: 'shop' }) });

const seconds = (max: number) => z.number().int().min(1).max(max).nullable();

/** The terms of a client that a caller may set. */
export const clientTerms = {
  name: field
    .text(100)
    .transform((name) => plainName(name))
    .refine((name) => name !== '', 'must not be empty')
    .describe('For people.'),
  audience: field.audience.nullable().describe('The `aud` of its credentials. Null: the audience of Curfew.'),
  algorithm: z.enum(SIGNING_ALGORITHMS).describe('The algorithm that signs its access tokens.'),
  idle_seconds: seconds(31_622_400).describe('Null, here and below: the default of the settings.'),
  absolute_seconds: seconds(31_622_400),
  access_token_seconds: seconds(86_400),
  opaque_access_seconds: seconds(31_622_400),
  grant_types: z
    .array(z.enum(GRANT_TYPES))
    .max(GRANT_TYPES.length)
    .transform((types) => [...new Set(types)])
    .describe(
      'How sessions may be opened: `password`: by e-mail address and password; `service`: by a back end that has authenticated the user (`POST /v1/admin/sessions`).',
    ),
};

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
  built_in: false,
  created_at: '2026-11-01T08:00:00.000Z',
  disabled_at: null,
};

/** A client after a change, how many sessions the change ended, and how far it has propagated. */
export const clientChange = z.object({ client, ...shape.logout.shape });
export const CLIENT_CHANGE = { client: CLIENT, ...shape.LOGOUT_EXAMPLE, ended: 0 };

export const confirmedCount = z
  .number()
  .int()
  .min(0)
  .optional()
  .describe('The number of sessions that may end; the real number may differ by a twentieth.');

interface AskedTerms {
  name?: string | undefined;
  audience?: string | null | undefined;
  algorithm?: (typeof SIGNING_ALGORITHMS)[number] | undefined;
  idle_seconds?: number | null | undefined;
  absolute_seconds?: number | null | undefined;
  access_token_seconds?: number | null | undefined;
  opaque_access_seconds?: number | null | undefined;
  grant_types?: (typeof GRANT_TYPES)[number][] | undefined;
}

const NAMES = {
  name: 'name',
  audience: 'audience',
  algorithm: 'algorithm',
  idleSeconds: 'idle_seconds',
  absoluteSeconds: 'absolute_seconds',
  accessTokenSeconds: 'access_token_seconds',
  opaqueAccessSeconds: 'opaque_access_seconds',
  grantTypes: 'grant_types',
} as const satisfies Record<keyof ClientTermsChange, keyof AskedTerms>;

/** The terms of a body; those that it does not name stay. */
export function termsIn(asked: AskedTerms): ClientTermsChange {
  const said = Object.entries(NAMES).filter(([, name]) => asked[name] !== undefined);
  return Object.fromEntries(said.map(([name, asks]) => [name, asked[asks]]));
}

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
      const { field: name, sentence } = changed.fault;
      const asked: Record<string, string> = NAMES;
      return refuseInput(c, inputFault(asked[name] ?? name, sentence.replace(/\.$/, '')));
    }
    case 'confirmation_required':
      return refuse(c, 'confirmation_required', { count: changed.count });
    case 'done':
      return c.json({ client: clientView(changed.client), ...settledBody(c, changed.settled) }, status);
  }
}
