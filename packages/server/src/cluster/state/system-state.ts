import { countInBackground } from './background-count.ts';
import { coalesced } from '../../system/coalesced.ts';
import { listNodes, readClock } from '../../store/node-registry.ts';
import { countUnmarked } from '../../store/marking.ts';
import type { CutTarget } from '../../store/revoke-scope.ts';
import { countLiveSessions } from '../../store/live-count.ts';
import {
  MOST_COUNTED,
  readCutsBeingMarked,
  readReadersBehind,
  type ReaderBehind,
} from '../../store/backlog.ts';
import { atMost } from '../../system/timers.ts';
import type { PropagationHistory } from './propagation.ts';
import { findDegraded } from './degraded.ts';
import type { Marking, ReaderLag, SystemState } from '@curfew/protocol/wire/system-state';
import type { RedisCopies } from '../../cache/redis.ts';
import type { Config } from '../../config.ts';
import type { Database } from '../../store/database.ts';
import type { System } from '../../system/system.ts';
import type { NoticeBoard } from '../follow/notice-board.ts';
import type { Readers } from '../follow/registry.ts';
import type { SessionMemory } from '../memory/session-memory.ts';
import type { Followers } from '../nodes/followers.ts';
import type { Nodes } from '../nodes/joined-node.ts';

/** A database that has not answered in this time is shown as not answering. */
const DATABASE_MS = 2000;
const MOST_VERIFIERS = 500;
const MOST_MARKINGS = 5;
/** Requests within this time get the same answer, so that many readers cost as much as one. */
const KEPT_MS = 500;
/** Leases without a beat until a node is shown as silent. At five the others deregister it. */
const SILENT_LEASES = 3;

/** The sources of the status. */
interface StateSources {
  readonly config: Config;
  readonly system: System;
  readonly database: Database;
  readonly nodes: Nodes;
  readonly propagation: PropagationHistory;
  readonly memory: SessionMemory;
  readonly followers: Followers;
  readonly notices: NoticeBoard;
  readonly redis: RedisCopies | null;
  readonly readers: Readers;
}

/** @returns the system's status now */
export function createSystemState(parts: StateSources): () => Promise<SystemState> {
  const { system } = parts;
  const count = countInBackground(system, (now) => countLiveSessions(parts.database, now));
  let kept: { state: SystemState; atMs: number } | undefined;
  const look = coalesced(async () => {
    const counted = count();
    const state = await lookAt(
      parts,
      counted && { alive: counted.value, counted_at: counted.at.toISOString() },
    );
    kept = { state, atMs: system.monotonicMs() };
    return state;
  });
  return async () => (kept && system.monotonicMs() - kept.atMs < KEPT_MS ? kept.state : look());
}

async function lookAt(parts: StateSources, sessions: SystemState['sessions']): Promise<SystemState> {
  const { config, system, database, nodes, memory, followers, readers, redis } = parts;
  const { node } = nodes;
  const { latencyMs, seen } = await askDatabase(parts);
  const ageMs = node.ageMs();
  const followerList = followers.list();
  const state: SystemState = {
    at: system.now().toISOString(),
    node: {
      id: node.id,
      fresh: node.isFresh(),
      age_ms: Number.isFinite(ageMs) ? Math.round(ageMs) : null,
      lease_ms: config.leaseMs,
      remembered: memory.size,
      sole: database.sole,
    },
    nodes: (seen?.nodes ?? []).map((one) => ({
      id: one.id,
      this: one.id === node.id,
      started_at: one.started_at.toISOString(),
      silent: (node.stillMs(one.id) ?? 0) > SILENT_LEASES * config.leaseMs,
    })),
    verifiers: followerList.slice(0, MOST_VERIFIERS).map((one) => ({
      replica: one.replica,
      key: one.key,
      address: one.address,
      since: one.since.toISOString(),
      age_ms: rounded(one.ageMs()),
      unread_bytes: one.unreadBytes(),
      behind: one.behind(),
    })),
    verifier_count: followerList.length,
    propagation: {
      span_ms: parts.propagation.spanMs,
      spans: parts.propagation.spans().map(({ atMs, waitedOut, ...span }) => ({
        at: new Date(atMs).toISOString(),
        ...span,
        waited_out: waitedOut,
      })),
    },
    readers: readers
      .durable()
      .map(({ reader, passes }) => lagOf(parts, reader.name, passes.state(), seen?.readers)),
    database: {
      kind: database.sole ? 'embedded' : 'postgresql',
      answers: latencyMs !== null,
      latency_ms: latencyMs,
    },
    redis: redis === null ? 'none' : redis.healthy ? 'up' : 'away',
    notices: { listeners: parts.notices.state().listeners },
    passwords: system.passwords.load(),
    sessions,
    marking: seen?.marking ?? [],
    degraded: [],
  };
  return { ...state, degraded: findDegraded(parts, state) };
}

function lagOf(
  { system }: StateSources,
  name: string,
  own: { failures: number; lastDone: Date | null },
  all: ReaderBehind[] | undefined,
): ReaderLag {
  const found = all?.find((one) => one.name === name);
  return {
    name,
    behind: found?.behind ?? null,
    more: found?.behind === MOST_COUNTED,
    oldest_ms: found?.oldest ? Math.max(0, system.now().getTime() - found.oldest.getTime()) : null,
    failures: own.failures,
    last_done: own.lastDone?.toISOString() ?? null,
  };
}

interface Seen {
  nodes: { id: string; started_at: Date }[];
  readers: ReaderBehind[];
  marking: Marking[];
}

/** The database's answers; null for those that did not come in time. */
async function askDatabase(parts: StateSources): Promise<{ latencyMs: number | null; seen: Seen | null }> {
  const { database, system, readers } = parts;
  let latencyMs: number | null = null;
  const ask = async (): Promise<Seen> => {
    const askedMs = system.monotonicMs();
    await readClock(database);
    latencyMs = Math.round((system.monotonicMs() - askedMs) * 100) / 100;
    const [nodes, behind, marking] = await Promise.all([
      listNodes(database),
      readReadersBehind(
        database,
        readers.durable().map(({ reader }) => reader),
      ),
      readMarking(parts),
    ]);
    return { nodes, readers: behind, marking };
  };
  try {
    const seen = await atMost(system, DATABASE_MS, ask(), null);
    return { latencyMs, seen };
  } catch (err) {
    system.log.info({ err }, 'the system status is incomplete: the database did not answer every query');
    return { latencyMs, seen: null };
  }
}

async function readMarking({ database }: StateSources): Promise<Marking[]> {
  const cuts = await readCutsBeingMarked(database, MOST_MARKINGS);
  const found: Marking[] = [];
  for (const cut of cuts) {
    const { position, at, scope } = cut;
    const target = targetOf(cut);
    const left = target ? await countUnmarked(database, target) : 0;
    if (left > 0) found.push({ position, scope: scope ?? '', at: at.toISOString(), left });
  }
  return found;
}

/** What the cut of an event ended. */
function targetOf(event: Awaited<ReturnType<typeof readCutsBeingMarked>>[number]): CutTarget | null {
  const { scope, user_id: userId, user_ids: userIds, client_id: clientId, device_id: deviceId } = event;
  const { login, tenant } = event;
  if (scope === 'everyone') return { scope };
  if (scope === 'tenant' && tenant !== null) return { scope, tenant };
  if (scope === 'login' && login !== null) return { scope, login };
  if (scope === 'client' && clientId !== null) return { scope, clientId };
  if (userIds !== null) return { scope: 'users', userIds };
  if (userId === null) return null;
  if (scope === 'device' && deviceId !== null) return { scope, userId, deviceId };
  if (scope === 'grant' && clientId !== null) return { scope, userId, clientId };
  return { scope: 'user', userId };
}

const rounded = (ms: number | null): number | null => (ms === null ? null : Math.round(ms));
