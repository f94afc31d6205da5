import { z } from '@hono/zod-openapi';
import * as field from '../../actions/fields.ts';
import type { Account } from '@curfew/protocol/wire/user';
import type { Administrator } from '../../actions/admit.ts';
import * as shape from '../contract/shapes.ts';

/** A user as the administration shows it: `accountView` in `actions/account-view.ts`. */
export const account = shape.user
  .extend({
    external_id: z.string().nullable().describe('The id that your own system has for the user.'),
    issuer: z.string().nullable().describe('The name of that system.'),
    created_at: z.string(),
    disabled_at: z.string().nullable(),
  })
  .openapi('Account') satisfies z.ZodType<Account>;
export const ACCOUNT = {
  ...shape.USER,
  external_id: null,
  issuer: null,
  created_at: '2026-11-01T08:00:00.000Z',
  disabled_at: null,
};

export const idParam = z.object({ id: field.integerParameter(1).openapi({ example: 2 }) });

export const confirmLast = z
  .boolean()
  .optional()
  .describe('Continue even if no administrator would be left. Without it the answer is 409.');

/** Whom a key of an application reaches. */
export const USERS_OF_KEY =
  'With a key of an application: a user of one of its external issuers, a user that its keys created, or one who has or had a session with it. Others are 404.';

/** The actor of a change of a user. */
export const changerOf = ({ actor, reach, session }: Administrator) => ({
  actor,
  reach,
  sid: session?.sid ?? null,
  userId: session?.userId ?? null,
});
