import type { IncomingMessage } from 'node:http';
import type { Context } from 'hono';
import type { World } from '../actions/world.ts';

/** What a host passes beside the request. Under node:http the connection tells the address; elsewhere the host does. */
export interface Connection {
  incoming?: IncomingMessage;
  /** The address of whoever connected. Not known, it is left out of the log and of the limits. */
  address?: string;
}

export interface HonoEnvironment {
  Bindings: Connection;
  Variables: { world: World; requestId: string; startedMs: number; ipAddress: string | null };
}
export type Call = Context<HonoEnvironment>;
