import type { Context } from 'hono';
import type { Counted } from '../cluster/state/background-count.ts';
import type { SystemState } from '@curfew/protocol/wire/system-state';
import type { Connection } from './connection.ts';
import type { World } from '../world/world.ts';
import type { OpenStreams } from './admin/open-streams.ts';
import type { Metrics } from './operator/metrics.ts';

export interface RequestBindings extends Connection {
  /** This process asks itself, which is not a client's request and is counted nowhere. */
  rehearsal?: true;
}

/** The state of this process's HTTP side, besides the world. */
export interface Site {
  metrics: Metrics;
  streams: OpenStreams;
  systemState: () => Promise<SystemState>;
  countSessions: () => Counted<Map<string, number>> | null;
  /** The OpenAPI description. */
  describe: () => object;
}

export interface HonoEnvironment {
  Bindings: RequestBindings;
  Variables: {
    world: World;
    site: Site;
    requestId: string;
    startedMs: number;
    ipAddress: string | null;
    /** The body, once it was read. */
    bytes?: Promise<Uint8Array>;
  };
}
export type Call = Context<HonoEnvironment>;
