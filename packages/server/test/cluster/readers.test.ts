/** The registry of readers of the log: how one is added, and what each kind of reader is promised. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { Findings } from '../../src/cli/doctor/findings.ts';
import { checkReaders } from '../../src/cli/doctor/database.ts';
import type { CommittedNews, DurableReader, LiveReader } from '../../src/cluster/follow/log-reader.ts';
import { marker } from '../../src/cluster/follow/marker.ts';
import { pagesPass } from '../../src/cluster/follow/pages-pass.ts';
import { durableOf, READERS } from '../../src/cluster/follow/readers.ts';
import { Readers } from '../../src/cluster/follow/registry.ts';
import { createSystemState } from '../../src/cluster/state/system-state.ts';
import { readConfig } from '../../src/config.ts';
import type { Database } from '../../src/store/database.ts';
import { realSystem } from '../../src/system/real.ts';
import { newUser, opened } from '../http/logins.ts';
import { type Node, openNode, openPlace, quickPasswords } from '../races/node.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { hold } from '../services/held-database.ts';
import { backends, migrated, openStore, silent } from '../support.ts';

/** A reader as its file would have it. Its migration makes the table `tally`. */
const tally: DurableReader = {
  name: 'tally',
  does: 'a count of endings',
  wants: ['sessions_ended'],
  runs: 'one-node',
  begins: 'at the start',
  open: () => ({
    pages: {
      async deal(events, on) {
        for (const { position } of events)
          await on.query({ text: 'insert into tally (position) values ($1)', values: [position] });
      },
    },
  }),
};
const makeTable = { text: 'create table tally (position bigint not null)', values: [] };
const names = (readers: readonly DurableReader[]): string => readers.map(({ name }) => name).join(', ');
const tallied = async (database: Database): Promise<number[]> => {
  const { rows } = await database.query({ text: 'select position from tally order by position', values: [] });
  return rows.map(({ position }) => Number(position));
};

describe.each(backends())('a reader that is added to the list, %s', (backend) => {
  let node: Node;
  const heard: string[] = [];
  const listener: LiveReader = {
    name: 'listener',
    does: 'a test that listens',
    wants: ['sessions_ended'],
    runs: 'live',
    open: () => ({
      took(_ending, event, own) {
        heard.push(`${event.type} ${own}`);
        throw new Error('a reader at fault');
      },
    }),
  };
  const list = [tally, listener, ...READERS];
  beforeAll(async () => {
    const place = await openPlace(backend);
    await place.at(0).world.database.query(makeTable);
    await place.close();
    node = await openNode(place.settings, {}, list);
  });
  afterAll(() => node.close());

  const logOut = async (): Promise<void> => {
    const user = await newUser(node.call);
    const { bearer } = await opened(node.call, user.id);
    expect(await node.call('POST', '/v1/logout', { bearer })).toMatchObject({ json: { confirmed: true } });
  };

  test('is run, and processes the events that it wants', async () => {
    await logOut();
    await node.world.readers.catchUp(tally);
    expect(await tallied(node.world.database)).toHaveLength(1);
  });

  test('hears of each ending that this node commits', async () => {
    const { readers } = node.world;
    const told: CommittedNews[] = [];
    Object.assign(readers, { committed: (news: CommittedNews) => told.push(news) });
    onTestFinished(() => void Reflect.deleteProperty(readers, 'committed'));
    await logOut();
    // Its pass comes in a moment, and not at its next look.
    expect(told).toContainEqual({ type: 'sessions_ended', more: false });
    await readers.catchUp(tally);
  });

  /** The commits that ask the reader for a pass, which comes 200 ms later. */
  async function askedBy<News>(reader: DurableReader, commits: (News & CommittedNews)[]): Promise<News[]> {
    const asked: number[] = [];
    const { database, system, config, redis, notices } = node.world;
    const watched = {
      ...system,
      every: (ms: number, work: () => void) => {
        asked.push(ms);
        return system.every(ms, work);
      },
    };
    const asking: News[] = [];
    for (const commit of commits) {
      const readers = new Readers([reader], { database, system: watched, config, redis, notices });
      await readers.catchUp(reader);
      asked.length = 0;
      readers.committed(commit);
      if (asked.includes(200)) asking.push(commit);
      await readers.close();
    }
    return asking;
  }

  test('is asked for a pass by exactly the commits that it wants', async () => {
    const told = { ...tally, name: 'told', runs: 'all-nodes' as const };
    const [started, ended] = [{ type: 'session_started' }, { type: 'sessions_ended' }] as const;
    expect(await askedBy(told, [started, ended])).toEqual([ended]);
    // What an ending has marked itself is not left to the marker.
    const [marked, unmarked] = [
      { ...ended, more: false },
      { ...ended, more: true },
    ];
    expect(await askedBy(marker, [started, ended, marked, unmarked])).toEqual([unmarked]);
  });

  test('says what it does', () => {
    for (const { name, does } of READERS) expect([name, does]).toEqual([name, expect.stringMatching(/ /)]);
  });

  test('is on the system page, in the metrics, and examined by the doctor', async () => {
    const state = await createSystemState(node.world)();
    expect(state.readers.find(({ name }) => name === 'tally')).toMatchObject({ behind: 0, failures: 0 });
    expect(await node.metrics.text()).toContain('curfew_reader_failures{reader="tally"} 0');
    const findings = new Findings();
    await checkReaders(node.world.config, node.world.database, durableOf(list), findings);
    expect(findings.all).toMatchObject([
      { state: 'ok', sentence: `tally, ${names(durableOf(READERS))}: no reader is behind.` },
    ]);
  });

  test('is named by the doctor when it is behind', async () => {
    const { config, database } = node.world;
    await database.query({
      text: `insert into events (at, type, scope, actor) values (now() - interval '1 hour', 'sessions_ended', 'sessions', 'system')`,
      values: [],
    });
    const findings = new Findings();
    await checkReaders(config, database, [tally], findings);
    expect(findings.all).toMatchObject([
      {
        state: 'warning',
        sentence: expect.stringMatching(/^tally \(a count of endings\) has 1 event to process/),
      },
    ]);
    const without = new Findings();
    const needs = { setting: 'REDIS_URL', isSet: () => false };
    await checkReaders(config, database, [{ ...tally, needs }], without);
    expect(without.all[0]?.sentence).toMatch(
      /No server processes them, because REDIS_URL is not set, .* DELETE FROM readers WHERE name = 'tally'\.$/,
    );
    await node.world.readers.catchUp(tally);
    const after = new Findings();
    await checkReaders(config, database, [tally], after);
    expect(after.all).toMatchObject([{ state: 'ok' }]);
  });

  test('live, it gets what the node takes in; when it fails, the log says so and the logout stands', async () => {
    heard.length = 0;
    await logOut();
    expect(heard).toContain('sessions_ended true');
    expect(node.lines.join('')).toContain('"reader":"listener"');
  });
});

describe.runIf(hasPostgres())('on two nodes', () => {
  async function twoNodes(
    reader: DurableReader,
  ): Promise<{ databases: [Database, Database]; nodes: [Readers, Readers] }> {
    const url = await freshDatabase(migrated);
    const databases: [Database, Database] = [
      await openStore('postgres', url),
      await openStore('postgres', url),
    ];
    await databases[0].query(makeTable);
    // Both have nothing to do yet: each looks on demand.
    const idle = { ...realSystem(silent, quickPasswords()), every: () => () => undefined };
    const of = (database: Database): Readers =>
      new Readers([reader], {
        database,
        system: idle,
        config: readConfig({}),
        redis: null,
        notices: {} as never,
      });
    const nodes: [Readers, Readers] = [of(databases[0]), of(databases[1])];
    for (const node of nodes) await node.catchUp(reader);
    await databases[0].query({
      text: `insert into events (at, type, scope, actor) select now(), 'sessions_ended', 'sessions', 'system'
        from generate_series(1, 3)`,
      values: [],
    });
    onTestFinished(async () => {
      for (const node of nodes) await node.close();
      for (const database of databases) await database.close();
    });
    return { databases, nodes };
  }

  test.each([
    ['commits', 0],
    ['fails', 1],
  ])('a reader that runs on one node processes each event once, also when that node %s', async (_, fails) => {
    let failures = fails;
    const one: DurableReader = {
      ...tally,
      open: (parts) => ({
        pages: {
          async deal(events, on) {
            const work = tally.open(parts)?.pages;
            if (work && 'deal' in work) await work.deal(events, on);
            if (failures-- > 0) throw new Error('a node at fault');
          },
        },
      }),
    };
    const { databases, nodes } = await twoNodes(one);
    // Executed and not committed: the place is this node's. The other has read the same page.
    const held = hold(databases[0], 'take_place', 'uncommitted');
    const heldToo = hold(databases[1], 'take_place', 'before');
    const first = nodes[0].catchUp(one).catch(() => undefined);
    await held.reached;
    const second = nodes[1].catchUp(one);
    await heldToo.reached;
    held.release();
    await first;
    heldToo.release();
    await second;
    expect(await tallied(databases[0])).toHaveLength(3);
    expect(new Set(await tallied(databases[0])).size).toBe(3);
  });

  test('a node that lost a page to another one goes on where that one stopped', async () => {
    const { databases } = await twoNodes(tally);
    const work = tally.open({} as never)?.pages;
    if (!work || !('deal' in work)) throw new Error('it reads no pages');
    await databases[0].query({
      text: `insert into events (at, type, scope, actor) values (now(), 'sessions_ended', 'sessions', 'system')`,
      values: [],
    });
    // Their pages begin at other events, as after commits that one of them saw later.
    const held = hold(databases[0], 'take_place', 'before');
    const losing = pagesPass(databases[0], tally, work, 2)();
    await held.reached;
    let pages = 0;
    const deal: (typeof work)['deal'] = async (events, on) => {
      if (pages++ > 0) throw new Error('a node at fault');
      await work.deal(events, on);
    };
    await expect(pagesPass(databases[1], tally, { deal }, 3)()).rejects.toThrow('at fault');
    expect(await tallied(databases[1])).toHaveLength(3);
    held.release();
    await losing;
    expect(await tallied(databases[0])).toHaveLength(4);
  });

  test('a reader that runs on all nodes is not held up by a node that hangs', async () => {
    const all: DurableReader = { ...tally, runs: 'all-nodes' };
    const { databases, nodes } = await twoNodes(all);
    const held = hold(databases[0], 'next_wanted', 'after');
    const hanging = nodes[0].catchUp(all);
    await held.reached;
    await nodes[1].catchUp(all);
    expect(await tallied(databases[1])).toHaveLength(3);
    held.release();
    await hanging;
  });
});
