/* Users as they cross the wire in `/v1`. Instants are ISO 8601, UTC. */

export type Role = 'user' | 'admin';

/** A user, as a session shows it. */
export interface User {
  id: number;
  email: string;
  name: string;
  role: Role;
  workspace: string;
}

/** A user, as the administration shows it. */
export interface Account extends User {
  created_at: string;
  /** Null while the user may log in. */
  disabled_at: string | null;
}
