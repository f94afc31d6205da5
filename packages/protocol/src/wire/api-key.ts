import type { Logout } from './logout.ts';

/* API keys as they cross the wire in `/v1`. Instants are ISO 8601, UTC. */

/** An API key, without its secret. */
export interface ApiKeyView {
  id: number;
  name: string;
  /** The client whose sessions the key reaches; null: an operator's key. */
  client_id: string | null;
  scopes: string[];
  created_at: string;
  /** The actor, as in the log. */
  created_by: string;
  expires_at: string | null;
  /** To the minute or so; null before the first use. */
  last_used_at: string | null;
  revoked_at: string | null;
  revoked_by: string | null;
}

/** A key that was created or revoked, and how far that had propagated when it was answered. */
export interface ApiKeyChange extends Pick<Logout, 'confirmed' | 'ms' | 'acknowledged' | 'waited_out'> {
  key: ApiKeyView;
}
