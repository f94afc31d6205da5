import {
  clientId as clientIdShape,
  email as emailShape,
  login as loginShape,
} from '../http/contract/shapes.ts';
import { type Operand, Refused, UsageError } from './declare.ts';
import type { Account, Operator } from './operator.ts';

export const USER_OPERAND: Operand = { name: 'USER', about: 'A user, by number or by e-mail address.' };

/**
 * The user that an argument names.
 * @throws Refused when there is none
 */
export async function findUser(operator: Operator, reference: string): Promise<Account> {
  const user = await lookUp(operator, reference);
  if (!user) throw new Refused(`there is no user ${reference}.`);
  return user;
}

/** @throws UsageError when it is no e-mail address */
export function requireEmail(text: string, shape: typeof emailShape = emailShape): string {
  if (!shape.safeParse(text).success) throw new UsageError(`${text} is not an e-mail address.`);
  return text;
}

/** @throws UsageError when it cannot be the name of an application */
export function requireApplication(text: string): string {
  if (!clientIdShape.safeParse(text).success)
    throw new UsageError(`${text} is not the name of an application.`);
  return text;
}

function lookUp(operator: Operator, reference: string): Promise<Account | null> {
  if (!/^\d+$/.test(reference)) return operator.userByEmail(requireEmail(reference, loginShape));
  const id = Number(reference);
  if (!Number.isSafeInteger(id) || id < 1) throw new UsageError(`${reference} is not the number of a user.`);
  return operator.userById(id);
}
