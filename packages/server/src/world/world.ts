import type { Copies } from '../cache/profiles.ts';
import type { RedisCopies } from '../cache/redis.ts';
import type { KeyMemory } from '../cluster/memory/key-memory.ts';
import type { KnownClients } from '../cluster/memory/known-clients.ts';
import type { SessionMemory } from '../cluster/memory/session-memory.ts';
import type { WrongKeys } from '../cluster/memory/wrong-keys.ts';
import type { Followers } from '../cluster/nodes/followers.ts';
import type { Nodes } from '../cluster/nodes/joined-node.ts';
import type { NoticeBoard } from '../cluster/follow/notice-board.ts';
import type { Readers } from '../cluster/follow/registry.ts';
import type { RefusalLog } from '../cluster/upkeep/refusal-log.ts';
import type { Config } from '../config.ts';
import type { KeyRing } from '../keys/key-ring.ts';
import type { Database } from '../store/database.ts';
import type { Act } from '../store/act.ts';
import type { System } from '../system/system.ts';
import type { EndOne } from '../cluster/endings/end-one.ts';
import type { PropagationHistory } from '../cluster/state/propagation.ts';

/** Everything that an action works with. The authority builds it once and passes it on. */
export interface World {
  readonly config: Config;
  readonly system: System;
  readonly database: Database;
  readonly keys: KeyRing;
  readonly clients: KnownClients;
  readonly memory: SessionMemory;
  /** The API keys that are accepted. */
  readonly apiKeys: KeyMemory;
  /** The addresses that presented keys that are not valid. */
  readonly wrongKeys: WrongKeys;
  readonly nodes: Nodes;
  /** The recent times until logouts were confirmed. */
  readonly propagation: PropagationHistory;
  /** The verifiers connected to this node. */
  readonly followers: Followers;
  /** The sockets for notices on this node, by session. */
  readonly notices: NoticeBoard;
  readonly redis: RedisCopies | null;
  readonly copies: Copies;
  /** Ends a single session; those that arrive at the same time share a commit. */
  readonly endOne: EndOne;
  /** Refusals that wait to be written. */
  readonly refusals: RefusalLog;
  readonly readers: Readers;
}

/** Where a request came from, and its note, as stored in the log. */
export interface RequestContext {
  contract: string;
  /** The client's address; null when it is not known. */
  ipAddress: string | null;
  userAgent: string;
  requestId: string | null;
  note?: string | undefined;
}

/** The actor's columns of an event: context, instant and actor. */
export function actOf(world: World, context: RequestContext, actor: string): Act {
  return { ...context, userAgent: context.userAgent.slice(0, 512), at: world.system.now(), actor };
}
