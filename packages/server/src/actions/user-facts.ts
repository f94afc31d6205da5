import type { UserFacts } from '../domain/session.ts';
import type { UserRecord } from '../store/users.ts';

/** What a session knows of its user. */
export function userFacts(user: UserRecord): UserFacts {
  return {
    id: user.id,
    email: user.email,
    name: user.name,
    role: user.role,
    workspace: user.workspace,
    profileVersion: user.profile_version,
  };
}
