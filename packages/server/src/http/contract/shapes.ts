import { ENDED_BY, END_REASONS, type SessionEnd } from '@curfew/protocol/notices';
import type * as logoutWire from '@curfew/protocol/wire/logout';
import type * as sessionWire from '@curfew/protocol/wire/session';
import type * as userWire from '@curfew/protocol/wire/user';
import { z } from '@hono/zod-openapi';
import { sid, text, userId, integer } from '../../actions/fields.ts';

/* Shapes that several rows share; the input's are in actions/fields.ts. Instants are ISO 8601 in UTC. */

/** The size of a page of a list. */
export const pageSize = integer(1, 1000).default(100);

export const device = z
  .strictObject({
    id: z
      .string()
      .regex(/^[\w.:-]{1,128}$/, 'takes letters, digits and . _ : -')
      .optional()
      .describe(
        'Kept by the client, the same for each login on this device. Made by the server when not given.',
      ),
    name: text(100)
      .optional()
      .describe('What the owner calls it. Without it, what they called it in an earlier session on it.'),
  })
  .openapi('DeviceInput');

export const role = z.enum(['user', 'admin']);
export const user = z
  .object({
    id: userId,
    email: z.string(),
    name: z.string(),
    role,
    workspace: z.string(),
  })
  .openapi('User') satisfies z.ZodType<userWire.User>;
export const USER = { id: 2, email: 'test@example.com', name: 'Test', role: 'user', workspace: 'main' };

export const session = z
  .object({
    id: sid.describe('The public name of the session (`sid`), never a credential.'),
    user_id: userId,
    client_id: z.string(),
    device_id: z.string(),
    created_at: z.string(),
    expires_at: z.string().describe('The absolute end.'),
    idle_expires_at: z.string().describe('The end if it is not used until then.'),
  })
  .openapi('Session') satisfies z.ZodType<sessionWire.Session>;
export const SID = '019a9f2c-5f6e-7c3a-9d52-8f2b7c1e4a60';
export const SESSION_EXAMPLE = {
  id: SID,
  user_id: 2,
  client_id: 'default',
  device_id: 'laptop-1',
  created_at: '2026-11-20T12:00:00.000Z',
  expires_at: '2026-12-20T12:00:00.000Z',
  idle_expires_at: '2026-11-27T12:00:00.000Z',
};

const place = z
  .object({
    city: z
      .record(z.string(), z.string())
      .describe(
        'Its name by language (BCP 47), in as many as the database has; empty when only the country is known.',
      ),
    country: z.string().nullable().describe('ISO 3166-1 alpha-2.'),
  })
  .openapi('Place') satisfies z.ZodType<sessionWire.Place>;

export const sessionView = z
  .object({
    id: sid,
    user_id: userId,
    client_id: z.string(),
    contract: z.string(),
    device: z.object({
      id: z.string(),
      name: z.string(),
      browser: z.string().nullable(),
      system: z.string().nullable(),
    }),
    ip_address: z.string().nullable(),
    place: place
      .nullable()
      .describe('Where that address is thought to be (CURFEW_PLACES); null when it is not known.'),
    created_at: z.string(),
    last_seen_at: z.string(),
    expires_at: z.string(),
    idle_expires_at: z.string(),
  })
  .openapi('SessionView') satisfies z.ZodType<sessionWire.SessionView>;
export const VIEW_EXAMPLE = {
  id: SID,
  user_id: 2,
  client_id: 'default',
  contract: 'v1',
  device: { id: 'laptop-1', name: 'Work laptop', browser: 'Firefox', system: 'Windows' },
  ip_address: '192.0.2.7',
  place: { city: { en: 'Gdańsk', 'zh-CN': '格但斯克' }, country: 'PL' },
  created_at: '2026-11-20T12:00:00.000Z',
  last_seen_at: '2026-11-20T12:34:56.000Z',
  expires_at: '2026-12-20T12:00:00.000Z',
  idle_expires_at: '2026-11-27T12:34:56.000Z',
};

/** The answer to a logout. */
export const logout = z
  .object({
    ended: z.number().int().describe('Sessions ended; when `more` is true, at least this many.'),
    more: z
      .boolean()
      .describe(
        'Rows of these sessions are still to be marked, in the background. All of them are over already.',
      ),
    confirmed: z.boolean().describe('No replica accepts a credential of an ended session any more.'),
    ms: z.number().describe('Milliseconds from the request to this answer.'),
    acknowledged: z.number().int().describe('Other replicas, nodes and verifiers, that acknowledged.'),
    waited_out: z
      .number()
      .int()
      .describe('Other replicas that did not answer, and whose lease had to run out.'),
  })
  .openapi('Logout') satisfies z.ZodType<logoutWire.Logout>;
export const LOGOUT_EXAMPLE = {
  ended: 3,
  more: false,
  confirmed: true,
  ms: 1.9,
  acknowledged: 2,
  waited_out: 0,
};

/** The answer to a logout with `dry_run`. */
export const preview = z
  .object({
    dry_run: z.literal(true),
    count: z.number().int().describe('Sessions that would end.'),
    sample: z.array(sessionView).describe('The newest of them, 10 at most.'),
  })
  .openapi('LogoutPreview') satisfies z.ZodType<logoutWire.LogoutPreview>;
export const logoutOrPreview = z.union([logout, preview]);
export const dryRun = z
  .boolean()
  .optional()
  .describe('Ends nothing, and answers how many sessions would end, with a sample.');

/** How the session of a genuine credential ended. */
export const endedWhy = z
  .object({
    reason: z.enum(END_REASONS),
    by: z
      .enum(ENDED_BY)
      .describe('"self": this session; "other_device": another session of the same user; "system": a rule.'),
    at: z.string(),
  })
  .openapi('SessionEnd')
  .describe(
    'How the session ended. Only for a credential that was given out here, and whose session is over.',
  ) satisfies z.ZodType<SessionEnd>;
export const ENDED_WHY_EXAMPLE = {
  reason: 'logout',
  by: 'other_device',
  at: '2026-11-20T12:34:56.000Z',
} as const;

export const JWT_EXAMPLE = 'eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6IuKApiJ9.…';
export const wait = z
  .enum(['replicas', 'none'])
  .optional()
  .describe('"replicas" (default) answers when it is true everywhere, "none" after the commit.');
