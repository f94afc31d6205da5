import { ENDED_BY, END_REASONS, type SessionEnd } from '@curfew/protocol/notices';
import type * as logoutWire from '@curfew/protocol/wire/logout';
import type * as sessionWire from '@curfew/protocol/wire/session';
import type * as userWire from '@curfew/protocol/wire/user';
import { z } from '@hono/zod-openapi';
import { sid, text, userId, integerParameter } from '../../actions/fields.ts';

/* Shapes that several rows share; the input's are in actions/fields.ts. Instants are ISO 8601 in UTC. */

/** The size of a page of a list. */
export const pageSize = integerParameter(1, 1000).default(100);

export const device = z
  .strictObject({
    id: z
      .string()
      .regex(/^[\w.:-]{1,128}$/, 'takes letters, digits and . _ : -')
      .optional()
      .describe(
        'The id of the device. The client stores it and sends the same id at each login. Default: the server generates one.',
      ),
    name: text(100)
      .optional()
      .describe(
        'The name that the owner gives to the device. Default: the name from an earlier session on this device.',
      ),
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
    expires_at: z.string().describe('When the session expires, with or without activity.'),
    idle_expires_at: z.string().describe('When the session expires without activity.'),
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
        'The name of the city by language (BCP 47), in the languages that the database has. Empty when only the country is known.',
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
    place: place.nullable().describe('The place of the address (CURFEW_PLACES); null when it is unknown.'),
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
    ended: z.number().int().describe('How many sessions ended; a lower bound when `more` is true.'),
    more: z
      .boolean()
      .describe(
        'True while rows of these sessions are still being updated in the background. All of the sessions have ended already.',
      ),
    confirmed: z
      .boolean()
      .describe('True when no replica accepts a credential of an ended session any more.'),
    ms: z.number().describe('Milliseconds from the request to this answer.'),
    acknowledged: z.number().int().describe('How many other replicas (nodes and verifiers) acknowledged.'),
    waited_out: z
      .number()
      .int()
      .describe(
        'How many other replicas did not acknowledge, so that the logout waited for their lease to run out.',
      ),
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
    count: z.number().int().describe('How many sessions would end.'),
    sample: z.array(sessionView).describe('The newest of these sessions, at most 10.'),
  })
  .openapi('LogoutPreview') satisfies z.ZodType<logoutWire.LogoutPreview>;
export const logoutOrPreview = z.union([logout, preview]);
export const dryRun = z
  .boolean()
  .optional()
  .describe('End nothing, and answer how many sessions would end, with a sample.');

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
    'How the session ended. Present only if Curfew issued the credential and its session has ended.',
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
  .describe(
    '"replicas" (default): answer when the logout is true everywhere. "none": answer after the commit.',
  );
