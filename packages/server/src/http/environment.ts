import type { IncomingMessage } from 'node:http';
import type { Context } from 'hono';
import type { Counted } from '../cluster/state/background-count.ts';
import type { SystemState } from '@curfew/protocol/wire/system-state';
import type { World } from '../world/world.ts';
import type { OpenStreams } from './admin/open-streams.ts';
import type { Metrics } from './operator/metrics.ts';

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

/** What this process's HTTP side keeps besides the world. */
export interface Site {
  metrics: Metrics;
  streams: OpenStreams;
  systemState: () => Promise<SystemState>;
  countSessions: () => Counted<Map<string, number>> | null;
  /** The OpenAPI description. */
  describe: () => object;
}

export interface HonoEnvironment {
  Bindings: Asked;
  Variables: { world: World; site: Site; requestId: string; startedMs: number; ipAddress: string | null };
}
export type Call = Context<HonoEnvironment>;
