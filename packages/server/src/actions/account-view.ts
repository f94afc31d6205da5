import type { Account } from '@curfew/protocol/wire/user';
import type { UserRecord } from '../store/users.ts';

/** A user as the administration shows it. */
export function accountView(user: UserRecord): Account {
  const { id, email, name, role, workspace } = user;
  return {
    id,
    email,
    name,
    role,
    workspace,
    external_id: user.external_id,
    issuer: user.external_issuer,
    created_at: user.created_at.toISOString(),
    disabled_at: user.disabled_at?.toISOString() ?? null,
  };
}
