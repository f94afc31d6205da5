import type { Account } from '@curfew/protocol/wire/user';
import { plainName } from '@curfew/protocol/reading/plain-name';
import { DEFAULT_ISSUER } from '../domain/client-terms.ts';
import type { ExternalId } from '../domain/session.ts';
import { type CommandLine, type Operand, type Option, CommandRefused, UsageError } from './declare.ts';
import type { Operator } from './operator.ts';

/** The API's schemas. Imported where they are used, because the help does not need them. */
const fields = () => import('../actions/fields.ts');

export const USER_OPERAND: Operand = { name: 'USER', about: 'A user, by id or e-mail address.' };

/**
 * The user that an argument names.
 * @throws CommandRefused when there is none
 */
export async function requireUser(operator: Operator, reference: string): Promise<Account> {
  const user = await lookUp(operator, reference);
  if (!user) throw new CommandRefused(`no such user: ${reference}.`);
  return user;
}

export const EXTERNAL_OPTIONS: Record<string, Option> = {
  'external-id': { value: 'ID', about: 'Only of the user with this id in your own system.' },
  issuer: { value: 'NAME', about: 'With --external-id: the name of that system. Default: default.' },
};

/** The external id that the options name. @throws UsageError when it cannot be one */
export async function externalOf(line: CommandLine): Promise<ExternalId | null> {
  const given = line.text('external-id');
  const issuer = line.text('issuer');
  if (given === undefined) {
    if (issuer !== undefined) throw new UsageError('--issuer requires --external-id.');
    return null;
  }
  const { externalId, issuer: name } = await fields();
  const external = { id: given, issuer: issuer ?? DEFAULT_ISSUER };
  if (!externalId.safeParse(external.id).success || !name.safeParse(external.issuer).success)
    throw new UsageError(
      '--external-id and --issuer take 1 to 255 visible ASCII characters, without spaces.',
    );
  return external;
}

/** @throws CommandRefused when nobody has it */
export async function requireExternal(operator: Operator, external: ExternalId): Promise<Account> {
  const { users } = await operator.users({ query: null, external, after: 0, limit: 1 });
  const [user] = users;
  if (!user) throw new CommandRefused(`no such user: ${external.id} of ${external.issuer}.`);
  return user;
}

/** @throws UsageError when it is not an e-mail address */
export async function requireEmail(text: string, kind: 'email' | 'login' = 'email'): Promise<string> {
  if (!(await fields())[kind].safeParse(text).success)
    throw new UsageError(`${text} is not an e-mail address.`);
  return text;
}

/** @throws UsageError when it cannot be the name of an application */
export async function requireClient(text: string): Promise<string> {
  if (!(await fields()).clientId.safeParse(text).success)
    throw new UsageError(`${text} is not the name of an application.`);
  return text;
}

export async function requireTenant(text: string): Promise<string> {
  const tenant = (await fields()).tenant.safeParse(text);
  if (!tenant.success) throw new UsageError(`${text} is not the id of a tenant.`);
  return tenant.data;
}

/** @throws UsageError when it cannot be the id of a session */
export async function requireSid(text: string): Promise<string> {
  const sid = (await fields()).sid.safeParse(text);
  if (!sid.success) throw new UsageError(`${text} is not the id of a session.`);
  return sid.data;
}

/** @throws UsageError when it is too long for a note */
export async function requireNote(text: string | undefined): Promise<string | undefined> {
  const note = (await fields()).note.safeParse(text);
  if (!note.success) throw new UsageError(`--note: ${note.error.issues[0]?.message ?? 'is not valid'}.`);
  return text === undefined ? undefined : plainName(text) || undefined;
}

async function lookUp(operator: Operator, reference: string): Promise<Account | null> {
  if (!/^\d+$/.test(reference)) return operator.userByEmail(await requireEmail(reference, 'login'));
  const id = Number(reference);
  if (!Number.isSafeInteger(id) || id < 1) throw new UsageError(`${reference} is not the id of a user.`);
  return operator.userById(id);
}
