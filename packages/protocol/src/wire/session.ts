import type { EndReason } from '../notices.ts';

/* Sessions as they cross the wire in `/v1`. Instants are ISO 8601, UTC. */

/** A session, in the answer to a login. */
export interface Session {
  /** The public name of the session (`sid`), never a credential. */
  id: string;
  user_id: number;
  client_id: string;
  device_id: string;
  created_at: string;
  /** The absolute expiry. */
  expires_at: string;
  /** The expiry without further use. */
  idle_expires_at: string;
}

/** A device, by its name and its User-Agent header. */
export interface Device {
  id: string;
  name: string;
  browser: string | null;
  system: string | null;
}

/** The estimated place of an address. */
export interface Place {
  /** The city's name by language (BCP 47); empty when only the country is known. */
  city: Record<string, string>;
  /** ISO 3166-1 alpha-2. */
  country: string | null;
}

/** A session in a list. */
export interface SessionView {
  id: string;
  user_id: number;
  client_id: string;
  contract: string;
  device: Device;
  ip_address: string | null;
  /** Null when it is not known, or the authority has no place database. */
  place: Place | null;
  created_at: string;
  last_seen_at: string;
  expires_at: string;
  idle_expires_at: string;
}

/** A session in the list of its owner. */
export interface OwnSession extends SessionView {
  /** The session that asks. */
  current: boolean;
}

/** A session in a list of the administration. */
export interface UserSession extends SessionView {
  email: string;
  active: boolean;
  /** How it ended; `by` is an actor of the log. Null while it is not over. */
  ended: { at: string; by: string; reason: EndReason } | null;
}
