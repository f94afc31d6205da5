import type { Copies } from '../cache/profiles.ts';
import type { RedisCopies } from '../cache/redis.ts';
import type { SessionMemory } from '../cluster/memory/session-memory.ts';
import type { Followers } from '../cluster/nodes/followers.ts';
import type { Nodes } from '../cluster/nodes/nodes.ts';
import type { NoticeBoard } from '../cluster/follow/notice-board.ts';
import type { Readers } from '../cluster/follow/registry.ts';
import type { RefusalLog } from '../cluster/upkeep/refusal-log.ts';
import type { Config } from '../config.ts';
import type { KeyRing } from '../keys/ring.ts';
import type { Database } from '../store/database.ts';
import type { Act } from '../store/sessions.ts';
import type { System } from '../system/system.ts';
import type { EndOne } from '../cluster/endings/end-one.ts';
import type { PropagationHistory } from '../cluster/state/propagation.ts';

/** Everything an action works with; built once by the authority and handed forward. */
export interface World {
  readonly config: Config;
  readonly system: System;
  readonly database: Database;
  readonly keys: KeyRing;
  readonly memory: SessionMemory;
  readonly nodes: Nodes;
  /** Lately, how long it took until logouts were true everywhere. */
  readonly propagation: PropagationHistory;
  /** The verifiers that are connected here. */
  readonly followers: Followers;
  /** Who listens here to which session. */
  readonly notices: NoticeBoard;
  readonly redis: RedisCopies | null;
  readonly copies: Copies;
  /** Ends a single session, sharing a commit with others that arrive at the same time. */
  readonly endOne: EndOne;
  /** What was refused, on its way to the database. */
  readonly refusals: RefusalLog;
  readonly readers: Readers;
}

/** Where a request came from, and what it wants to be noted, as the log keeps it. */
export interface Origin {
  contract: string;
  /** The client's address; null when it is not known. */
  ipAddress: string | null;
  userAgent: string;
  requestId: string | null;
  note?: string | undefined;
}

/** What the log says of who does something: the origin, now, and the actor. */
export function actOf(world: World, origin: Origin, actor: string): Act {
  return { ...origin, userAgent: origin.userAgent.slice(0, 512), at: world.system.now(), actor };
}

/** The longest life of an access token, of any application. */
export const tokenLifeSeconds = (config: Config): number =>
  Math.max(...[...config.clients.values()].map((client) => client.accessTokenSeconds));
