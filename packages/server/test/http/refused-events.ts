/** What the tests of refusals share: the place, and what the log shows. */

/** An event as `GET /v1/admin/events` shows it. */
export interface Seen {
  position: number;
  at: string;
  type: string;
  user_id: number | null;
  actor: string;
  count: number | null;
  last_at: string | null;
  ip_address: string | null;
  user_agent: string | null;
  client_id: string | null;
  contract: string | null;
  details: Record<string, unknown> | null;
}

export const SETTINGS = {
  CURFEW_LOGIN_FAILURES_PAIR: '3',
  CURFEW_CLIENTS: '{"shop":{"audience":"https://shop.example"}}',
};
