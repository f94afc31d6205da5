import { SIGNING_ALGORITHMS } from '@curfew/protocol/claims';
import { z } from 'zod';
import { EXTERNAL_ISSUERS_AT_MOST, EXTERNAL_TEXT, GRANT_TYPES } from '../domain/client-terms.ts';

const EXAMPLE_CLIENTS = '{"shop":{"idleSeconds":1800,"audience":"https://shop.example"}}';
const integerUpTo = (most: number) => {
  const error = `must be a whole number from 1 to ${most}`;
  return z.number(error).int(error).min(1, error).max(most, error).optional();
};
const line = (error: string) => z.string(error).min(1, error).max(2000, error).optional();

const clientSchema = z.strictObject(
  {
    name: line('must be text').pipe(z.string().max(100, 'must have at most 100 characters').optional()),
    idleSeconds: integerUpTo(31_622_400),
    absoluteSeconds: integerUpTo(31_622_400),
    accessTokenSeconds: integerUpTo(86_400),
    opaqueAccessSeconds: integerUpTo(31_622_400),
    audience: line('must be text'),
    algorithm: z.enum(SIGNING_ALGORITHMS, `must be one of ${SIGNING_ALGORITHMS.join(', ')}`).optional(),
    grantTypes: z
      .array(z.enum(GRANT_TYPES, `must be a list of ${GRANT_TYPES.join(', ')}`), 'must be a list')
      .optional(),
    externalIssuers: z
      .array(
        z.string('must be a list of text').regex(EXTERNAL_TEXT, 'must be visible ASCII, without spaces'),
        'must be a list',
      )
      .max(EXTERNAL_ISSUERS_AT_MOST, `must have at most ${EXTERNAL_ISSUERS_AT_MOST} members`)
      .optional(),
  },
  {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `has an unknown member: ${issue.keys.join(', ')}`
        : `must be an object, as in ${EXAMPLE_CLIENTS}`,
  },
);

/** The form of CURFEW_CLIENTS: JSON, an object of applications by client_id. */
export const clientsForm = z
  .string()
  .default('{}')
  .transform((given, context) => {
    try {
      return JSON.parse(given) as unknown;
    } catch {
      // The message of JSON.parse would quote the value.
      context.addIssue(`must be JSON, as in ${EXAMPLE_CLIENTS}`);
      return z.NEVER;
    }
  })
  .pipe(
    z.record(z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/i), clientSchema, {
      error: (issue) =>
        issue.code === 'invalid_key'
          ? 'the name of an application has at most 64 letters, digits, ., _ and -, and begins with a letter or a digit'
          : `must be a JSON object, as in ${EXAMPLE_CLIENTS}`,
    }),
  );
