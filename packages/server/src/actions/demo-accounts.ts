import type { Queryable } from '../store/statement.ts';
import { findCredentials, hasUsers, insertUser } from '../store/users.ts';
import type { PasswordHasher } from '../system/password-hashing.ts';
import type { World } from '../world/world.ts';

export const DEMO_PASSWORD = 'password123';
export const DEMO_ADMIN = 'admin@example.com';
export const DEMO_USER = 'test@example.com';

/** The lock of processes that start on one empty database. */
const LOCK = 7_236_401_578;

/** The accounts in the documents of the four contracts: user 1, an administrator, and user 2. */
export async function createDemoAccounts(world: World): Promise<void> {
  const { database, system } = world;
  if (await hasUsers(database)) return;
  const passwordHash = await system.passwords.hash(DEMO_PASSWORD);
  await database.transaction(async (on) => {
    await on.query({ text: 'select pg_advisory_xact_lock($1)', values: [LOCK] });
    if (await hasUsers(on)) return;
    const now = system.now();
    const common = { passwordHash, workspace: 'main' };
    await insertUser(on, { ...common, email: DEMO_ADMIN, name: 'Demo Administrator', role: 'admin' }, now);
    await insertUser(on, { ...common, email: DEMO_USER, name: 'Demo User', role: 'user' }, now);
  });
}

/** The demonstration accounts that still have the documents' password. */
export async function openDemoAccounts(
  database: Queryable,
  passwords: Pick<PasswordHasher, 'verify'>,
): Promise<string[]> {
  const open: string[] = [];
  for (const email of [DEMO_ADMIN, DEMO_USER]) {
    const known = await findCredentials(database, email);
    if (known?.passwordHash && !known.disabled && (await passwords.verify(known.passwordHash, DEMO_PASSWORD)))
      open.push(email);
  }
  return open;
}

/** The message about them. */
export function sentenceOfOpen(emails: readonly string[]): string {
  const commands = emails.map((email) => `curfew user password ${email} --generate`);
  return `${emails.join(' and ')} still ${emails.length > 1 ? 'have' : 'has'} the public password of the demonstration. Change it first: ${commands.join('; ')}.`;
}
