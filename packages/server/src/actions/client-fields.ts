import { plainName } from '@curfew/protocol/reading/plain-name';
import { SIGNING_ALGORITHMS } from '@curfew/protocol/claims';
import { z } from '@hono/zod-openapi';
import {
  type ClientFault,
  type ClientTermsChange,
  EXTERNAL_ISSUERS_AT_MOST,
  GRANT_TYPES,
} from '../domain/client-terms.ts';
import * as field from './fields.ts';

/* The terms of a client as callers write them, over HTTP or on the command line. */

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
  external_issuers: z
    .array(field.issuer)
    .max(EXTERNAL_ISSUERS_AT_MOST)
    .transform((issuers) => [...new Set(issuers)])
    .describe(
      'The systems whose users its API keys may name and read: values of `issuer`. Default: `["default"]`.',
    ),
};

interface AskedTerms {
  name?: string | undefined;
  audience?: string | null | undefined;
  algorithm?: (typeof SIGNING_ALGORITHMS)[number] | undefined;
  idle_seconds?: number | null | undefined;
  absolute_seconds?: number | null | undefined;
  access_token_seconds?: number | null | undefined;
  opaque_access_seconds?: number | null | undefined;
  grant_types?: (typeof GRANT_TYPES)[number][] | undefined;
  external_issuers?: string[] | undefined;
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
  externalIssuers: 'external_issuers',
} as const satisfies Record<keyof ClientTermsChange, keyof AskedTerms>;

/** The terms of a body; those that it does not name stay. */
export function termsIn(asked: AskedTerms): ClientTermsChange {
  const said = Object.entries(NAMES).filter(([, name]) => asked[name] !== undefined);
  return Object.fromEntries(said.map(([name, asks]) => [name, asked[asks]]));
}

/** A fault by the names of a body. */
export function faultIn({ field: name, sentence }: ClientFault): { field: string; message: string } {
  const asked: Record<string, string> = NAMES;
  return { field: asked[name] ?? name, message: sentence.replace(/\.$/, '') };
}
