import type { Account } from '@curfew/protocol/wire/user';
import { plainName } from '@curfew/protocol/reading/plain-name';
import { type Operand, CommandRefused, UsageError } from './declare.ts';
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
