import { type Queryable, statement } from '../statement.ts';
import type { LogEvent } from './log-event.ts';

const appendEvent = statement<
  [
    at: Date,
    type: string,
    userId: number | null,
    actor: string,
    contract: string | null,
    ip: string | null,
    userAgent: string | null,
    requestId: string | null,
    details: string | null,
    clientId: string | null,
  ],
  { position: number }
>(
  'append_event',
  `insert into events (at, type, user_id, actor, contract, ip_address, user_agent, request_id, details, client_id)
   values ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::jsonb, $10) returning position`,
);

/** Appends an event that ends no sessions: a user or a client was created or changed, keys were rotated. */
export async function append(
  on: Queryable,
  event: {
    type: LogEvent['type'];
    userId: number | null;
    clientId?: string | null;
    details: Record<string, unknown>;
  },
  act: {
    at: Date;
    actor: string;
    contract: string | null;
    ipAddress: string | null;
    userAgent: string;
    requestId: string | null;
    note?: string | undefined;
  },
): Promise<number> {
  const [row] = await appendEvent.run(
    on,
    act.at,
    event.type,
    event.userId,
    act.actor,
    act.contract,
    act.ipAddress,
    act.userAgent,
    act.requestId,
    // Undefined members are omitted.
    JSON.stringify({ ...event.details, note: act.note }),
    event.clientId ?? null,
  );
  if (!row) throw new Error('the event was not appended');
  return row.position;
}
