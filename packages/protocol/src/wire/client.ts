import type { Logout } from './logout.ts';

/** A client (an application) as the administration shows it. Null: the default of the settings. */
export interface ClientView {
  client_id: string;
  /** For display. */
  name: string;
  audience: string | null;
  algorithm: string;
  idle_seconds: number | null;
  absolute_seconds: number | null;
  access_token_seconds: number | null;
  opaque_access_seconds: number | null;
  /** How sessions may be opened with it: `password`, `service`. */
  grant_types: string[];
  /** The systems whose users its API keys may name and read: values of `issuer`. */
  external_issuers: string[];
  /** It always exists, and has Curfew's own audience. */
  built_in: boolean;
  created_at: string;
  disabled_at: string | null;
}

/** A client after a change, how many sessions the change ended, and how far it has propagated. */
export interface ClientChange extends Logout {
  client: ClientView;
}

/** A client in the list of the administration. */
export interface ListedClient extends ClientView {
  /** The number of its sessions; null until they have been counted. */
  sessions: number | null;
}
