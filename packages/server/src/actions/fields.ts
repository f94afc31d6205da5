import { z } from '@hono/zod-openapi';
import { hasUnseen } from '../domain/email-address.ts';

/* What people and programs write, whichever door they come by: HTTP or the command line. */

const NO_NUL = 'must not contain NUL';
/** A text as people write it. NUL is the one character that PostgreSQL cannot keep. */
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
/** The address of somebody who logs in, without the spaces that a form or a clipboard adds. */
export const login = addressOf(z.string().trim());
/** The address of a new account. */
export const email = addressOf(z.string()).refine(
  (value) => !hasUnseen(value),
  'must not contain invisible or control characters',
);
/** Long enough for any passphrase, short enough that hashing it is no attack. */
export const password = z.string().min(1, 'must not be empty').max(1024);
export const userId = z.number().int().positive().max(Number.MAX_SAFE_INTEGER);
/** Folded, because a UUID in capitals is the same UUID (RFC 9562 section 4). */
export const sid = z.uuid().toLowerCase();
/** A whole number in a path or a query: decimal digits without leading zeros, so that a number has one spelling. */
export const whole = (min: number, max: number = Number.MAX_SAFE_INTEGER) =>
  z
    .string()
    .regex(/^(0|[1-9]\d{0,15})$/, 'must be a whole number in decimal digits')
    .transform(Number)
    .pipe(z.number().int().min(min).max(max))
    .openapi({ type: 'integer', minimum: min, maximum: max });
export const clientId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'must be the name of an application');

export const audience = text(1024).min(1, 'must not be empty');

const NOTE_CHARACTERS = 500;
/** What somebody wants to be read beside what they did. */
export const note = text(2 * NOTE_CHARACTERS)
  .refine(
    (value) => Array.from(value).length <= NOTE_CHARACTERS,
    `must have at most ${NOTE_CHARACTERS} characters`,
  )
  .openapi({ maxLength: NOTE_CHARACTERS })
  .optional()
  .describe(
    'Why, for the log: kept in the `details` of the event. Control characters and those that turn the direction of a text are left out.',
  );
