/** A client (an application) as the administration lists it. */
export interface ListedClient {
  client_id: string;
  /** For people. */
  name: string;
  /** How many sessions it has; null until they have been counted. */
  sessions: number | null;
}
