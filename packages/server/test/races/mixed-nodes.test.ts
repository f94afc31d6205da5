/* Nodes that do not understand each other, while versions or keys are being changed: a logout takes the lease, and is true everywhere. */
import type { Ring } from '@curfew/protocol/node';
import { watch } from '@curfew/protocol/replica';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Doorbell, Hint } from '../../src/cluster/nodes/doorbell.ts';
import { joinNodes, type Nodes } from '../../src/cluster/nodes/joined-node.ts';
import type { Database } from '../../src/store/database.ts';
import { ringNodes } from '../../src/store/node-registry.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { revokeEachSession } from '../../src/store/revoke-sessions.ts';
import { realSystem } from '../../src/system/real.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { migrated, SERVICE_KEY, silent } from '../support.ts';
import { type Node, openNode, quickPasswords, SOMEBODY, until } from './node.ts';

const LEASE_MS = 1500;

describe.skipIf(!hasPostgres())('a logout', () => {
  let url: string;
  const closers: (() => Promise<void>)[] = [];
  beforeEach(async () => {
    url = await freshDatabase(migrated);
  });
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });
  const open = async (settings: Record<string, string> = {}): Promise<Node> => {
    const node = await openNode({ DATABASE_URL: url, CURFEW_LEASE_MS: String(LEASE_MS), ...settings });
    closers.push(() => node.close());
    return node;
  };

  let users = 0;
  async function logIn(node: Node): Promise<{ bearer: string; sid: string; userId: number }> {
    const email = `mixed-${++users}@example.com`;
    const made = await node.call('POST', '/v1/admin/users', { bearer: SERVICE_KEY, body: { email } });
    const userId: number = made.json.user.id;
    const opened = await node.call('POST', '/v1/admin/sessions', {
      bearer: SERVICE_KEY,
      body: { user_id: userId },
    });
    return { bearer: opened.json.access_token, sid: opened.json.session.id, userId };
  }
  const check = async (node: Node, bearer: string): Promise<number> =>
    (await node.call('GET', '/v1/check', { bearer })).status;
  const logOut = async (node: Node, bearer: string) =>
    (await node.call('POST', '/v1/logout', { bearer })).json as {
      confirmed: boolean;
      ms: number;
      acknowledged: number;
      waited_out: number;
    };

  /** A node as it was before messages carried a MAC: the same, with the doorbell of then. */
  async function openEarlier(): Promise<{ nodes: Nodes; database: Database; heard: (Ring | Hint)[] }> {
    const database = openPostgres({ url, pool: 4, statementNames: true, log: silent });
    closers.push(() => database.close());
    const heard: (Ring | Hint)[] = [];
    const say = (message: Ring | Hint): Promise<void> =>
      ringNodes(database, 'curfew_nodes', JSON.stringify(message));
    const doorbell: Doorbell = {
      ring: say,
      hint: say,
      listen: (onRing, onGap, onHint) =>
        database.listen(
          'curfew_nodes',
          (text) => {
            const message = JSON.parse(text) as Ring | Hint;
            heard.push(message);
            if ('changed' in message) onHint(message);
            else onRing(message);
          },
          onGap,
        ),
      refused: () => ({ unauthenticated: 0, repeated: 0, malformed: 0 }),
    };
    const nodes = await joinNodes({
      database,
      system: realSystem(silent, quickPasswords()),
      leaseMs: LEASE_MS,
      keepMs: 600_000,
      doorbell,
    });
    closers.push(() => nodes.close());
    return { nodes, database, heard };
  }

  test('beside a node of the version before: waited out in both directions, never confirmed early', async () => {
    const now = await open();
    const { nodes: earlier, database, heard } = await openEarlier();
    const judged = (session: { sid: string; userId: number }) =>
      earlier.judge(watch({ ...SOMEBODY, sid: session.sid, subject: String(session.userId), born: 1e9 }));

    const mine = await logIn(now);
    expect([await check(now, mine.bearer), judged(mine)]).toEqual([200, 'alive']);
    const out = await logOut(now, mine.bearer);
    expect(out).toMatchObject({ confirmed: true, acknowledged: 0, waited_out: 1 });
    expect(out.ms).toBeGreaterThanOrEqual(LEASE_MS);
    expect(judged(mine)).toBe('ended');
    // It understands our rings, so that it holds the ending long before it has to.
    expect(heard).toContainEqual(
      expect.objectContaining({ ring: expect.any(Number), from: now.world.nodes.node.id }),
    );

    const theirs = await logIn(now);
    for (let i = 0; i < 2; i++) expect(await check(now, theirs.bearer)).toBe(200);
    const act = {
      at: new Date(),
      actor: `user:${theirs.userId}`,
      contract: 'v1' as const,
      ipAddress: null,
      userAgent: '',
      requestId: null,
    };
    const [ending] = await revokeEachSession(
      database,
      [{ sid: theirs.sid, userId: theirs.userId, act, reason: 'logout' }],
      'wait',
    );
    if (!ending || ending === 'held') throw new Error('nothing was ended');
    earlier.committed(ending);
    const beganMs = performance.now();
    expect(await earlier.confirm()).toEqual({ acknowledged: 0, waitedOut: 1 });
    expect(performance.now() - beganMs).toBeGreaterThanOrEqual(LEASE_MS);
    expect(await check(now, theirs.bearer)).toBe(401);
    expect(now.world.nodes.refused().unauthenticated).toBeGreaterThanOrEqual(2);
  });

  test('while CURFEW_KEY is changed: waited out where the other key is unknown, fast where it is known', async () => {
    const [KEY, NEW] = ['the key of before, long enough as it is', 'the key of from now on, as long as that'];
    // The signing keys are made, and encrypted, by the first.
    const before = await open({ CURFEW_KEY: KEY });
    const prepared = await open({ CURFEW_KEY: KEY, CURFEW_KEY_PREVIOUS: NEW });
    const changed = await open({ CURFEW_KEY: NEW, CURFEW_KEY_PREVIOUS: KEY });
    const everywhere = [before, prepared, changed];
    for (const node of everywhere)
      await until('it sees the others', async () => {
        await logOut(node, (await logIn(node)).bearer);
        return node.world.nodes.state().nodes === 3;
      });
    for (const node of everywhere) {
      const { bearer } = await logIn(node);
      for (const one of [...everywhere, ...everywhere]) expect(await check(one, bearer)).toBe(200);
      const out = await logOut(node, bearer);
      for (const one of everywhere) expect(await check(one, bearer)).toBe(401);
      const all = node === prepared;
      expect(out).toMatchObject({
        confirmed: true,
        acknowledged: all ? 2 : 1,
        waited_out: all ? 0 : 1,
      });
      if (!all) expect(out.ms).toBeGreaterThanOrEqual(LEASE_MS);
    }
    await before.close();
    for (const node of [prepared, changed])
      expect(await logOut(node, (await logIn(node)).bearer)).toMatchObject({
        acknowledged: 1,
        waited_out: 0,
      });
  });
});
