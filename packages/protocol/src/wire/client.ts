/** A client (an application) in the list of the administration. */
export interface ListedClient {
  client_id: string;
  /** For display. */
  name: string;
  /** The number of its sessions; null until they have been counted. */
  sessions: number | null;
}
