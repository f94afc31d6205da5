/** The registry of nodes: a beat is one moment of one node, so that an earlier observation cannot deregister it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/store/database.ts';
import { claimIncarnation } from '../../src/store/epoch.ts';
import {
  beatNode,
  readNodes,
  registerNode,
  removeNode,
  removeSilentNode,
} from '../../src/store/node-registry.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { migrated, silent } from '../support.ts';

describe.runIf(hasPostgres())('beats', () => {
  let database: Database;
  beforeAll(async () => {
    database = openPostgres({
      url: await freshDatabase(migrated),
      pool: 8,
      statementNames: true,
      log: silent,
    });
  });
  afterAll(() => database.close());

  const register = (id: string) => registerNode(database, id, new Date());
  const takeOut = async (id: string, beat: number) =>
    removeSilentNode(database, id, beat, (await readNodes(database, id)).epoch);
  const beatOf = async (id: string): Promise<number> => {
    const found = (await readNodes(database, id)).nodes.find((node) => node.id === id);
    if (!found) throw new Error(`${id} is not registered`);
    return found.beat;
  };

  test('are never reused, not even after a deregistration', async () => {
    const [one, other] = [crypto.randomUUID(), crypto.randomUUID()];
    const seen: number[] = [];
    const look = async (...ids: string[]) => {
      for (const id of ids) seen.push(await beatOf(id));
    };
    const move = async (id: string) => {
      const before = await beatOf(id);
      expect(await beatNode(database, id)).toMatchObject({ beat: before, raised: await beatOf(id) });
    };
    for (let round = 0; round < 3; round++) {
      await Promise.all([register(one), register(other)]);
      await look(one, other);
      for (let i = 0; i < 5; i++) {
        await Promise.all([move(one), move(other)]);
        await look(one, other);
      }
      // An answer that was lost: registered once more while it is there.
      await Promise.all([register(one), register(other)]);
      await look(one, other);
      await removeNode(database, one);
      expect(await takeOut(other, await beatOf(other))).toBe(true);
      expect((await beatNode(database, one)).beat).toBeNull();
    }
    expect(new Set(seen).size).toBe(seen.length);
  });

  test('that moved on, or of an earlier registration, deregister nobody', async () => {
    const id = crypto.randomUUID();
    await register(id);
    const first = await beatOf(id);
    await beatNode(database, id);
    const second = await beatOf(id);
    await removeNode(database, id);
    await register(id);
    for (const earlier of [first, second]) expect(await takeOut(id, earlier)).toBe(false);
    expect(await takeOut(id, await beatOf(id))).toBe(true);
    expect((await readNodes(database, id)).nodes).toEqual([]);
  });

  test('every answer says whether it is from another database than the recorded one, and with which beat', async () => {
    const id = crypto.randomUUID();
    const answers = async () => {
      const { raised } = await register(id);
      const [beaten, registry] = [await beatNode(database, id), await readNodes(database, id)];
      expect([beaten.beat, registry.beat]).toEqual([raised, beaten.raised]);
      expect(registry.nodes).toContainEqual({ id, beat: beaten.raised });
      expect((await readNodes(database, crypto.randomUUID())).beat).toBeNull();
      return [await register(id), beaten, registry].map(({ foreign }) => foreign);
    };
    await claimIncarnation(database);
    expect(await answers()).toEqual([false, false, false]);
    await database.query({ text: `update incarnation set identity = identity || '0'`, values: [] });
    expect(await answers()).toEqual([true, true, true]);
  });
});
