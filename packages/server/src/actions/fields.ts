import { z } from '@hono/zod-openapi';
import { EXTERNAL_TEXT } from '../domain/client-terms.ts';
import { hasUnseen } from '../domain/email-address.ts';

/* The input of people and programs, over HTTP or on the command line. */

const NO_NUL = 'must not contain NUL';
/** A text. NUL is the one character that PostgreSQL cannot store. */
export const text = (max: number) =>
  z
    .string()
    .max(max)
    .refine((value) => !value.includes('\0'), NO_NUL);

const addressOf = (text: z.ZodString) =>
  text
    .max(254)
    .regex(/^[^\s@]+@[^\s@]+\.[^\s@]+$|^[^\s@]+@localhost$/, 'must be an e-mail address')
    .refine((value) => !value.includes('\0'), NO_NUL);
/** The address of a login, without the spaces that forms and clipboards add. */
export const login = addressOf(z.string().trim());
/** The address of a new account. */
export const email = addressOf(z.string()).refine(
  (value) => !hasUnseen(value),
  'must not contain invisible or control characters',
);
/** Long enough for a passphrase, short enough that hashing it is no attack. */
export const password = z.string().min(1, 'must not be empty').max(1024);
export const userId = z.number().int().positive().max(Number.MAX_SAFE_INTEGER);
/** Lower case, because a UUID in capitals is the same UUID (RFC 9562 section 4). */
export const sid = z.uuid().toLowerCase();
/** A whole number in a path or query: decimal digits without leading zeros, so that it has one spelling. */
export const integerParameter = (min: number, max: number = Number.MAX_SAFE_INTEGER) =>
  z
    .string()
    .regex(/^(0|[1-9]\d{0,15})$/, 'must be a whole number in decimal digits')
    .transform(Number)
    .pipe(z.number().int().min(min).max(max))
    .openapi({ type: 'integer', minimum: min, maximum: max });
export const clientId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'must be the name of an application');

export const tenant = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be the id of a tenant');
const visible = () =>
  z.string().regex(EXTERNAL_TEXT, 'must be 1 to 255 visible ASCII characters, without spaces');
/** The id of a user in another system. */
export const externalId = visible();
/** The name of that system. */
export const issuer = visible();
/** The issuer beside an external id, which a caller may leave out. */
export const issuerOfId = issuer
  .optional()
  .describe(
    'The name of the system that `external_id` is from. Default: "default"; with a key of an application that has one external issuer, that one. A key of an application may name its external issuers only.',
  );

export const audience = text(1024).min(1, 'must not be empty');

const NOTE_CHARACTERS = 500;
/** A note of the actor for readers of the log. */
export const note = text(2 * NOTE_CHARACTERS)
  .refine(
    (value) => Array.from(value).length <= NOTE_CHARACTERS,
    `must have at most ${NOTE_CHARACTERS} characters`,
  )
  .openapi({ maxLength: NOTE_CHARACTERS })
  .optional()
  .describe(
    'A reason for the log, stored in the `details` of the event. Curfew removes control characters and bidi controls.',
  );
