import type { IncomingMessage } from 'node:http';
import type { Context } from 'hono';
import type { World } from '../world/world.ts';

/** What a host passes beside the request. Under node:http the connection tells the address; elsewhere the host does. */
export interface Connection {
  incoming?: IncomingMessage;
  /** The address of whoever connected. Not known, it is left out of the log and of the limits. */
  address?: string;
}

/** The same; `rehearsal`: this process asks itself, which is no client's request and counts nowhere. */
export interface Asked extends Connection {
  rehearsal?: true;
}

export interface HonoEnvironment {
  Bindings: Asked;
  Variables: { world: World; requestId: string; startedMs: number; ipAddress: string | null };
}
export type Call = Context<HonoEnvironment>;
