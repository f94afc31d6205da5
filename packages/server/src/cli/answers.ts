import type { ApiKeyChange, ApiKeyView } from '@curfew/protocol/wire/api-key';
import type { ClientChange, ClientView } from '@curfew/protocol/wire/client';
import type { LoggedEvent } from '@curfew/protocol/wire/event';
import type { Logout, LogoutPreview } from '@curfew/protocol/wire/logout';
import { END_REASONS } from '@curfew/protocol/notices';
import type { SessionView, UserSession } from '@curfew/protocol/wire/session';
import type { SigningKey } from '@curfew/protocol/wire/signing-key';
import type { Account } from '@curfew/protocol/wire/user';
import { z } from 'zod';

/* The answers that a command accepts. Anything else is not Curfew, or another version of it. */

export const accountSchema = z.object({
  id: z.number(),
  email: z.string(),
  name: z.string(),
  role: z.enum(['user', 'admin']),
  workspace: z.string(),
  // A server of the version before has none.
  external_id: z.string().nullable().default(null),
  issuer: z.string().nullable().default(null),
  created_at: z.string(),
  disabled_at: z.string().nullable(),
}) satisfies z.ZodType<Account>;

const viewSchema = z.object({
  id: z.string(),
  user_id: z.number(),
  client_id: z.string(),
  contract: z.string(),
  device: z.object({
    id: z.string(),
    name: z.string(),
    browser: z.string().nullable(),
    system: z.string().nullable(),
  }),
  ip_address: z.string().nullable(),
  place: z.object({ city: z.record(z.string(), z.string()), country: z.string().nullable() }).nullable(),
  created_at: z.string(),
  last_seen_at: z.string(),
  expires_at: z.string(),
  idle_expires_at: z.string(),
}) satisfies z.ZodType<SessionView>;

export const sessionSchema = viewSchema.extend({
  email: z.string(),
  active: z.boolean(),
  ended: z.object({ at: z.string(), by: z.string(), reason: z.enum(END_REASONS) }).nullable(),
}) satisfies z.ZodType<UserSession>;

export const logoutSchema = z.object({
  ended: z.number(),
  more: z.boolean(),
  confirmed: z.boolean(),
  ms: z.number(),
  acknowledged: z.number(),
  waited_out: z.number(),
}) satisfies z.ZodType<Logout>;

export const previewSchema = z.object({
  dry_run: z.literal(true),
  count: z.number(),
  sample: z.array(viewSchema),
}) satisfies z.ZodType<LogoutPreview>;

export const apiKeySchema = z.object({
  id: z.number(),
  name: z.string(),
  client_id: z.string().nullable(),
  scopes: z.array(z.string()),
  created_at: z.string(),
  created_by: z.string(),
  expires_at: z.string().nullable(),
  last_used_at: z.string().nullable(),
  revoked_at: z.string().nullable(),
  revoked_by: z.string().nullable(),
}) satisfies z.ZodType<ApiKeyView>;

export const apiKeyChangeSchema = logoutSchema
  .omit({ ended: true, more: true })
  .extend({ key: apiKeySchema }) satisfies z.ZodType<ApiKeyChange>;

export const clientSchema = z.object({
  client_id: z.string(),
  name: z.string(),
  audience: z.string().nullable(),
  algorithm: z.string(),
  idle_seconds: z.number().nullable(),
  absolute_seconds: z.number().nullable(),
  access_token_seconds: z.number().nullable(),
  opaque_access_seconds: z.number().nullable(),
  grant_types: z.array(z.string()),
  external_issuers: z.array(z.string()).default(['default']),
  built_in: z.boolean(),
  created_at: z.string(),
  disabled_at: z.string().nullable(),
}) satisfies z.ZodType<ClientView>;

export const clientChangeSchema = logoutSchema.extend({
  client: clientSchema,
}) satisfies z.ZodType<ClientChange>;

export const keySchema = z.object({
  kid: z.string(),
  alg: z.string(),
  created_at: z.string(),
  signs_from: z.string(),
  state: z.enum(['published', 'signing', 'kept', 'retired']),
}) satisfies z.ZodType<SigningKey>;

export const loggedEventSchema = z.object({
  position: z.number(),
  at: z.string(),
  type: z.string(),
  scope: z.string().nullable(),
  reason: z.string().nullable(),
  user_id: z.number().nullable(),
  user_ids: z.array(z.number()).nullable(),
  session_ids: z.array(z.string()).nullable(),
  client_id: z.string().nullable(),
  device_id: z.string().nullable(),
  except_session: z.string().nullable(),
  login: z.string().nullable(),
  logins: z.array(z.string()).nullable().default(null),
  tenant: z.string().nullable(),
  actor: z.string(),
  actor_name: z.string().nullable().default(null),
  actor_session: z.string().nullable(),
  contract: z.string().nullable(),
  ip_address: z.string().nullable(),
  user_agent: z.string().nullable(),
  request_id: z.string().nullable(),
  details: z.record(z.string(), z.unknown()).nullable(),
  count: z.number().nullable(),
  last_at: z.string().nullable(),
}) satisfies z.ZodType<LoggedEvent>;
