/* Users as they cross the wire in `/v1`. Instants are ISO 8601, UTC. */

/** `admin` may administer. */
export type Role = 'user' | 'admin';

/** A user, as a session shows it. */
export interface User {
  /** The user's id, above 0. */
  id: number;
  /** The address that the user logs in with. */
  email: string;
  /** The name for display. */
  name: string;
  /** The user's role. */
  role: Role;
  /** The workspace's name, for contract 001. */
  workspace: string;
}

/** A user, as the administration shows it. */
export interface Account extends User {
  /** The id that another system has for the user, and the name of that system; null if there is none. */
  external_id: string | null;
  issuer: string | null;
  created_at: string;
  /** Null while the user may log in. */
  disabled_at: string | null;
}
