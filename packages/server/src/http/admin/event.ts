import { z } from '@hono/zod-openapi';
import type { LoggedEvent } from '@curfew/protocol/wire/event';
import { REFUSALS } from '../../domain/refusal-types.ts';
import { END_REASONS } from '../../domain/session.ts';
import * as shape from '../contract/shapes.ts';

/** An event as displayed: `shown` in `actions/read-log.ts`. */
export const event = z
  .object({
    position: z.number().int(),
    at: z.string(),
    type: z
      .enum([
        'session_started',
        'sessions_ended',
        'user_changed',
        'user_created',
        'keys_rotated',
        'api_key_created',
        'api_key_revoked',
        'client_created',
        'client_updated',
        'client_deleted',
        ...REFUSALS,
      ])
      .describe(
        'The types from "login_failed" on are refused attempts. One such event counts all attempts of its type on one account (`user_id`; null if there is no such account, or the request named none) from one address (IPv6: one /64) within one minute. Its other members describe the last attempt.',
      ),
    scope: z.string().nullable(),
    reason: z.enum(END_REASONS).nullable(),
    user_id: z.number().nullable(),
    user_ids: z.array(z.number()).nullable(),
    session_ids: z.array(z.string()).nullable(),
    client_id: z.string().nullable(),
    device_id: z.string().nullable(),
    except_session: z.string().nullable(),
    login: z
      .string()
      .nullable()
      .describe(
        'The login that ended, with all sessions begun through it; of a session that began, the login it began through.',
      ),
    logins: z
      .array(z.string())
      .nullable()
      .describe(
        'Of an ending that names sessions: the logins among them. Every session begun through one of them, whose `session_started` names it as `login`, ended too.',
      ),
    tenant: z.string().nullable(),
    actor: z.string().describe('"anonymous" for a refused attempt by an unauthenticated caller.'),
    contract: z.string().nullable(),
    ip_address: z.string().nullable(),
    user_agent: z.string().nullable(),
    request_id: z.string().nullable(),
    details: z.record(z.string(), z.unknown()).nullable(),
    actor_name: z.string().nullable().describe('The name of the API key, if the actor is one ("key:<id>").'),
    actor_session: z.string().nullable().describe('The session of the actor, if the actor had one.'),
    count: z
      .number()
      .int()
      .nullable()
      .describe(
        'For refused attempts: how many there were. `at` is the time of the first attempt, `last_at` of the last.',
      ),
    last_at: z.string().nullable(),
  })
  .openapi('Event') satisfies z.ZodType<LoggedEvent>;
export const EVENT = {
  position: 1042,
  at: '2026-11-20T12:34:56.000Z',
  type: 'sessions_ended',
  scope: 'user',
  reason: 'logout',
  user_id: 2,
  user_ids: null,
  session_ids: [shape.SID],
  client_id: null,
  device_id: null,
  except_session: null,
  login: null,
  logins: null,
  tenant: null,
  actor: 'user:2',
  contract: 'v1',
  ip_address: '192.0.2.7',
  user_agent: 'curl/8.5.0',
  request_id: 'k3v1-12',
  details: null,
  actor_name: null,
  actor_session: shape.SID,
  count: null,
  last_at: null,
};
