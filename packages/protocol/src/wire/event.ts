/* The log as it crosses the wire in `/v1`. Instants are ISO 8601, UTC. */

/** An event of the log. */
export interface LoggedEvent {
  position: number;
  at: string;
  type: string;
  scope: string | null;
  reason: string | null;
  user_id: number | null;
  user_ids: number[] | null;
  session_ids: string[] | null;
  client_id: string | null;
  device_id: string | null;
  except_session: string | null;
  /** The login that ended, with the sessions begun through it; of a session that began, the login it began through. */
  login: string | null;
  /** Of an ending that names sessions: the logins among them that others were begun through, which ended with them. */
  logins: string[] | null;
  tenant: string | null;
  actor: string;
  /** The name of the API key, if the actor is one. */
  actor_name: string | null;
  /** The session of the actor, if any. */
  actor_session: string | null;
  contract: string | null;
  ip_address: string | null;
  user_agent: string | null;
  request_id: string | null;
  /** `note`: text that somebody wrote for readers of the log. `others`: attempts on other accounts, summed up. */
  details: ({ note?: string; others?: true } & Record<string, unknown>) | null;
  /** For refusals: the number of attempts, of which `at` is the first and `last_at` the last. */
  count: number | null;
  last_at: string | null;
}
