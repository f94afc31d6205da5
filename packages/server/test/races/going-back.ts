/** Nodes and verifiers at one address, behind which the database goes back: a standby takes over, or an older copy comes. */
import { chownSync } from 'node:fs';
import { join } from 'node:path';
import type { Verifier } from '@curfew/verifier';
import { expect } from 'vitest';
import { migrate } from '../../src/store/migrate.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import {
  type HandClock,
  openHandClock,
  passUntil,
  passWhile,
  timeOf,
  waitFor,
} from '../services/hand-clock.ts';
import { type MovingAddress, openMovingAddress } from '../services/moving-address.ts';
import { type PostgresServer, startPostgres, withClient } from '../services/postgres.ts';
import { makeScratch, scratchRootInMemory, unprivileged } from '../services/scratch.ts';
import { PRIMARY_SETTINGS, type StandbyServer, startStandby } from '../services/standby.ts';
import { ISSUER, SERVICE_KEY, silent } from '../support.ts';
import { createVerifierBy } from '../../../verifier/src/feed-verifier.ts';
import { nextTurn, type Node as RaceNode, openNode } from './node.ts';

/** Of all nodes and verifiers here. */
export const clock: HandClock = openHandClock();

export const LEASE_MS = 1000;

export interface Node extends Pick<RaceNode, 'world' | 'fetch' | 'call' | 'lines' | 'close'> {
  url: string;
}

export interface Stage {
  primary: PostgresServer;
  address: MovingAddress;
  /**
   * @param at the address of its database, when not the one of all
   * @param port its own, when it comes in place of another node
   */
  node: (at?: MovingAddress, port?: number) => Promise<Node>;
  follow: (node: Node) => Promise<Verifier>;
}

interface StageWithStandby extends Stage {
  standby: StandbyServer;
  /** The primary is stopped, and the standby takes over without the last commits. */
  failOver: () => Promise<void>;
}

/** What a test has opened, to be closed after it, the last first: `afterEach(closeAll)`. */
export const closers: (() => Promise<unknown>)[] = [];
export async function closeAll(): Promise<void> {
  for (const close of closers.splice(0).reverse()) await passWhile(clock, close());
}

export async function openStage(
  leaseMs: number = LEASE_MS,
  settings: Record<string, string> = PRIMARY_SETTINGS,
): Promise<Stage> {
  const primary = await startPostgres({ copyOf: await migratedFiles(), settings });
  closers.push(() => primary.stop());
  const address = await openMovingAddress(primary.port);
  closers.push(() => address.close());
  return {
    primary,
    address,
    async node(at = address, port = 0) {
      const { close, listen, ...opened } = await openNode(
        { DATABASE_URL: at.instead(primary.url), CURFEW_LEASE_MS: String(leaseMs), ISSUER },
        timeOf(clock),
      );
      waitFor(opened.world.database);
      let closing: Promise<void> | undefined;
      const closeOnce = (): Promise<void> => passWhile(clock, (closing ??= close()));
      closers.push(closeOnce);
      return { ...opened, close: closeOnce, url: await listen(port) };
    },
    async follow(node) {
      const verifier = createVerifierBy(clock, {
        authority: node.url,
        serviceKey: SERVICE_KEY,
        audience: ISSUER,
        log: () => undefined,
      });
      closers.push(() => verifier.close());
      await isFresh(verifier);
      return verifier;
    },
  };
}

/** Opens one with a standby that follows. */
export async function openStageWithStandby(leaseMs?: number): Promise<StageWithStandby> {
  const stage = await openStage(leaseMs);
  const { primary, address } = stage;
  const standby = await startStandby(primary);
  // After the nodes, which close by writing to it.
  closers.splice(1, 0, () => standby.stop());
  return {
    ...stage,
    standby,
    async failOver() {
      standby.cutOff();
      address.moveTo(null);
      await primary.kill();
      await standby.promote();
    },
  };
}

let migrated: Promise<string> | undefined;
/** The data directory of a PostgreSQL that is stopped, migrated and empty. */
function migratedFiles(): Promise<string> {
  migrated ??= (async () => {
    const scratch = makeScratch('migrated', scratchRootInMemory());
    if (unprivileged !== undefined) chownSync(scratch, unprivileged.uid, unprivileged.gid);
    const dir = join(scratch, 'data');
    const server = await startPostgres({ dir });
    const database = openPostgres({ url: server.url, pool: 2, statementNames: true, log: silent });
    await migrate(database);
    await database.close();
    await server.stop();
    return dir;
  })();
  return migrated;
}

/** Lets time pass until it is so. */
export const eventually = (what: string, yes: () => boolean | Promise<boolean>): Promise<void> =>
  passUntil(clock, what, yes);

export interface Session {
  bearer: string;
  userId: number;
  sid: string;
  born: number;
}

const claimsOf = (bearer: string): { born: number; sid: string; epoch?: string } =>
  JSON.parse(Buffer.from(bearer.split('.')[1] ?? '', 'base64url').toString()) as {
    born: number;
    sid: string;
    epoch?: string;
  };

let users = 0;
export async function newUser(node: Node): Promise<number> {
  const { status, json } = await node.call<{ user: { id: number } }>('POST', '/v1/admin/users', {
    bearer: SERVICE_KEY,
    body: { email: `u${++users}@example.com`, password: 'a long enough password' },
  });
  expect(status).toBeLessThan(300);
  return json.user.id;
}

export async function logIn(node: Node, userId: number): Promise<Session> {
  const { status, json, text } = await node.call<{ access_token: string }>('POST', '/v1/admin/sessions', {
    bearer: SERVICE_KEY,
    body: { user_id: userId },
  });
  if (status >= 300) throw new Error(text);
  const { born, sid } = claimsOf(json.access_token);
  return { bearer: json.access_token, userId, sid, born };
}

/** The answer of the node's check: 200 for alive. */
export const check = async (node: Node, { bearer }: Session): Promise<number> =>
  (await node.call('GET', '/v1/check', { bearer })).status;

/** A logout of users by a service; asked again while the database is away. */
export async function logOut(
  node: Node,
  body: object,
  meanwhile?: () => void,
): Promise<Record<string, unknown>> {
  let answer: Record<string, unknown> = {};
  await eventually('the logout is answered', async () => {
    const asked = node.call('POST', '/v1/admin/logout', { bearer: SERVICE_KEY, body });
    const { status, json } = await passWhile(clock, asked, meanwhile);
    answer = json as Record<string, unknown>;
    return status === 200;
  });
  return answer;
}

/** The log names the session in one event: an attempt whose answer was a failure may have ended it already. */
export async function endedOnce(node: Node, { userId, sid }: Session): Promise<void> {
  const { json } = await node.call<{ events: { session_ids: string[] | null }[] }>(
    'GET',
    `/v1/admin/events?type=sessions_ended&user_id=${userId}`,
    { bearer: SERVICE_KEY },
  );
  expect(json.events.filter(({ session_ids: ids }) => ids?.includes(sid))).toHaveLength(1);
}

export const isFresh = (verifier: Verifier): Promise<void> =>
  eventually('the verifier is fresh', () => verifier.freshness.state === 'fresh');

/** From now on, for longer than any memory is valid, neither accepts the session. */
export async function isOverFrom(verifier: Verifier, node: Node, session: Session): Promise<void> {
  const endMs = clock.monotonicMs + 2 * LEASE_MS;
  while (clock.monotonicMs < endMs) {
    expect((await verifier.verify(session.bearer)).ok).toBe(false);
    expect(await check(node, session)).not.toBe(200);
    clock.pass(10);
    await nextTurn();
  }
}

/** Positions are given out far above those that the standby knows, and above the time in microseconds. */
export const FAR = 3_000_000_000_000_000;
export const jump = (url: string): Promise<unknown> =>
  withClient(url, (client) => client.query(`select setval('positions', ${FAR})`));
