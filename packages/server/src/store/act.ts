/** The origin of an act, as stored in the log. */
export interface Act {
  at: Date;
  /** See domain/actor.ts. */
  actor: string;
  contract: string;
  ipAddress: string | null;
  userAgent: string;
  requestId: string | null;
  /** A note for readers of the log. */
  note?: string | undefined;
}
