import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createVerifier } from '@curfew/verifier';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Environment } from '../../src/config.ts';
import { freshData } from '../services/embedded-data.ts';
import { findPostgres, type PostgresServer, startPostgres, withClient } from '../services/postgres.ts';
import { freePort } from '../services/scratch.ts';
import { migrated, PASSWORD, SERVICE_KEY } from '../support.ts';
import { follow, run, serve, type ServerProcess } from './processes.ts';

/* `curfew prove` and `curfew watch`, on running servers. */

const hasPostgres = findPostgres() !== undefined;
/** Its own: what is open in any database of a server holds up who follows the log in all of them. */
let postgres: PostgresServer | undefined;
let servers: ServerProcess[];
let place: Environment;
let remote: Environment;

beforeAll(async () => {
  if (hasPostgres) {
    postgres = await startPostgres();
    await migrated.prepare(postgres.url);
  }
  place = postgres ? { DATABASE_URL: postgres.url } : { CURFEW_DATA: freshData('prove') };
  const start = () => serve({ ...place, CURFEW_SERVICE_KEYS: SERVICE_KEY, CURFEW_DEMO_ACCOUNTS: '1' });
  servers = hasPostgres ? [await start(), await start()] : [await start()];
  remote = { CURFEW_URL: servers[0]?.url ?? '', CURFEW_SERVICE_KEY: SERVICE_KEY };
});
afterAll(async () => {
  for (const server of servers) expect(await server.stop()).toBe(0);
  await postgres?.stop();
});

/** A back end that asks the authority, and believes what it was told for a while: what this product is against. @param refusal what it says instead of 401 */
async function forgetful(believesMs: number, refusal?: number): Promise<{ server: Server; url: string }> {
  const believed = new Map<string, number>();
  const server = createServer((request, response) => {
    const { authorization = '', cookie = '' } = request.headers;
    const credential = authorization || cookie;
    if ((believed.get(credential) ?? 0) > Date.now()) return void response.writeHead(200).end();
    const ask = fetch(`${servers[0]?.url}/v1/check`, {
      headers: authorization === '' ? { cookie } : { authorization },
    });
    ask.then(
      ({ status }) => {
        if (status === 200) believed.set(credential, Date.now() + believesMs);
        response.writeHead(status === 401 ? (refusal ?? status) : status).end();
      },
      () => response.writeHead(503).end(),
    );
  });
  await new Promise<void>((ready) => {
    server.listen(0, '127.0.0.1', ready);
  });
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

describe('prove', () => {
  /** Names every node, or there is one that was not looked at. */
  const everyNode = (): string[] => {
    const others = servers.slice(1).map(({ url }) => url);
    return others.length > 0 ? ['--node', others.join(',')] : [];
  };

  test('every contract, every scope, every node and their replicas: no late accept', async () => {
    const nodes = everyNode();
    // A session of somebody else: no scope may reach it.
    const login = { email: 'test@example.com', password: PASSWORD };
    const stranger = (await servers[0]?.call('POST', '/v1/login', { body: login }))?.json.access_token;
    const proof = await run(['prove', '--rounds', '2', '--json', ...nodes], remote);
    expect([proof.code, proof.json.late, proof.json.unconfirmed]).toEqual([0, 0, 0]);
    expect(proof.json.logouts).toBe(8 + 2 * 7);
    expect(proof.json.ways).toEqual([
      'contract v1',
      'contract 002',
      'contract 004',
      'contract 003',
      ...['selected', 'device', 'others', 'all'].map((scope) => `user's ${scope}`),
      ...['sessions', 'device', 'user'].map((scope) => `administrator's ${scope}`),
      'contract 001',
    ]);
    expect((await servers[0]?.call('GET', '/v1/check', { bearer: stranger }))?.status).toBe(200);
    expect(proof.json.not_seen).toEqual([]);
    expect(proof.json.nodes.map(({ looked_at }: { looked_at: string[] }) => looked_at.length)).toEqual(
      servers.map(() => 1),
    );
    expect(proof.json.surfaces).toHaveLength(4 * servers.length);
    for (const surface of proof.json.surfaces) expect(surface.checks).toBeGreaterThan(8);
    // The replicas in the proving process, and the other node.
    expect(proof.json.acknowledged).toBe(3 * servers.length - 1);
    // The throw-away user is gone.
    const users = await run(['user', 'list', '--json'], remote);
    expect(users.json.users.map(({ id }: { id: number }) => id)).toEqual([1, 2]);
  });

  test('a back end that believes what it was told a moment ago is found out', async () => {
    const { server, url } = await forgetful(2000);
    try {
      const proof = await run(['prove', '--rounds', '1', '--back-end', url, ...everyNode()], remote);
      expect([proof.code, proof.out]).toEqual([1, expect.stringContaining('NOT true everywhere')]);
    } finally {
      server.close();
    }
  });

  test('one that believes nothing is not', async () => {
    const { server, url } = await forgetful(0);
    try {
      const proof = await run(['prove', '--rounds', '1', '--back-end', url, ...everyNode()], remote);
      expect([proof.code, proof.out]).toEqual([0, expect.stringContaining('True everywhere')]);
    } finally {
      server.close();
    }
  });

  test('one that never knows after a logout proves nothing, whatever it refuses', async () => {
    const { server, url } = await forgetful(0, 503);
    try {
      const proof = await run(['prove', '--rounds', '1', '--back-end', url, ...everyNode()], remote);
      expect([proof.code, proof.out]).toEqual([1, expect.stringMatching(/^NOT proven: back end at /m)]);
    } finally {
      server.close();
    }
  });

  test.runIf(hasPostgres)(
    'a node that was not looked at is named, and nothing is called true everywhere',
    async () => {
      const proof = await run(['prove', '--rounds', '1', '--json'], remote);
      const [seen, unseen] = [true, false].map((wanted) =>
        proof.json.nodes.filter(({ looked_at }: { looked_at: string[] }) => looked_at.length > 0 === wanted),
      );
      expect([proof.code, proof.json.late, seen?.length, unseen?.length]).toEqual([1, 0, 1, 1]);
      expect(proof.json.not_seen).toEqual([`node ${unseen?.[0].id}`]);
      // Twice the same node, as behind a balancer, is one node.
      const twice = await run(['prove', '--rounds', '1', '--node', servers[0]?.url ?? ''], remote);
      expect([twice.code, twice.out]).toEqual([
        1,
        expect.stringContaining(`NOT proven everywhere: not looked at node ${unseen?.[0].id}.`),
      ]);
      expect(twice.out).not.toContain('True everywhere');
    },
  );

  test('a verifier behind no address that was named was not looked at', async () => {
    const verifier = createVerifier({
      authority: servers[0]?.url ?? '',
      serviceKey: SERVICE_KEY,
      audience: 'https://somebody.example',
      log: () => undefined,
    });
    try {
      expect(await verifier.ready(10_000)).toBe(true);
      const proof = await run(['prove', '--rounds', '1', '--json', ...everyNode()], remote);
      expect([proof.code, proof.json.late, proof.json.verifiers.length]).toEqual([1, 0, 1]);
      expect(proof.json.not_seen).toEqual([
        expect.stringMatching(/^1 of 1 verifiers \(\S+ at 127\.0\.0\.1\)$/),
      ]);
      const { server, url } = await forgetful(0);
      const named = await run(['prove', '--rounds', '1', '--back-end', url, ...everyNode()], remote);
      server.close();
      expect([named.code, named.out]).toEqual([0, expect.stringContaining('True everywhere')]);
    } finally {
      await verifier.close();
    }
  });

  test('a user of one’s own, with the password from standard input, who stays', async () => {
    const user = 'test@example.com';
    const proof = await run(
      ['prove', '--rounds', '1', '--json', '--user', user, ...everyNode()],
      remote,
      `${PASSWORD}\n`,
    );
    expect([proof.code, proof.json.late, proof.json.logouts]).toEqual([0, 0, 11]);
    const users = await run(['user', 'list', '--json'], remote);
    expect(users.json.users.map(({ id }: { id: number }) => id)).toEqual([1, 2]);
    const wrong = await run(['prove', '--rounds', '1', '--user', user], remote, 'not the password\n');
    expect([wrong.code, wrong.out]).toEqual([1, '']);
    expect(wrong.err).not.toContain('not the password');
  });

  test('without a server, and with an address that is none', async () => {
    const nowhere = await run(['prove'], { CURFEW_DATA: '/nowhere' });
    expect([nowhere.code, nowhere.err]).toEqual([1, expect.stringContaining('no running server')]);
    expect(await run(['prove', '--node', 'what?'], remote)).toMatchObject({ code: 2 });
  });
});

describe('watch', () => {
  test('shows what was, and what happens, each once', async () => {
    const body = { email: 'test@example.com', password: PASSWORD };
    expect((await servers[0]?.call('POST', '/v1/login', { body }))?.status).toBe(200);
    const watching = follow(['watch', '--last', '1', '--json'], remote);
    try {
      // It is there when it shows what was before.
      await expect.poll(() => watching.lines().length).toBe(1);
      expect((await run(['logout', '--user', '2', '--json'], remote)).code).toBe(0);
      await run(['user', 'role', '2', 'admin'], remote);
      await run(['user', 'role', '2', 'user'], remote);
      const reasons = (): unknown[] =>
        watching
          .lines()
          .slice(1)
          .map(({ reason }) => reason);
      await expect.poll(() => reasons().length).toBe(3);
      // It looks twice in a second: what it showed twice would be there by then.
      await new Promise((wake) => setTimeout(wake, 1500));
      expect(reasons()).toEqual(['admin_logout', 'role_changed', 'role_changed']);
    } finally {
      await watching.interrupt();
    }
    const events = watching.lines();
    expect(new Set(events.map(({ position }) => position)).size).toBe(events.length);
  });

  test('writes a line for a person', async () => {
    const { code, out } = await run(['watch', '--last', '3', '--for', '1'], remote);
    expect(code).toBe(0);
    expect(out.trim().split('\n')).toHaveLength(3);
    expect(out).toContain('sessions ended  user 2');
  });

  test.runIf(hasPostgres).each(['through a server', 'on the database'])(
    'what commits late is shown, however much was shown before it: %s',
    async (way) => {
      const watching = follow(['watch', '--last', '1', '--json'], way === 'on the database' ? place : remote);
      const positions = (): number[] => watching.lines().map(({ position }) => position);
      const append = (count: number): string => `insert into events (at, type, actor)
        select now(), 'keys_rotated', 'operator' from generate_series(1, ${count}) returning position`;
      try {
        await expect.poll(() => positions().length).toBe(1);
        await withClient(place['DATABASE_URL'] ?? '', async (late) => {
          await late.query('begin');
          const { rows } = await late.query<{ position: string }>(append(1));
          const between = await withClient(place['DATABASE_URL'] ?? '', (other) => other.query(append(1500)));
          // Until it has shown what was taken later and is there already.
          await expect.poll(() => positions().length).toBe(1 + (between.rowCount ?? 0));
          await late.query('commit');
          await expect.poll(positions).toContain(Number(rows[0]?.position));
        });
      } finally {
        await watching.interrupt();
      }
      expect(new Set(positions()).size).toBe(positions().length);
    },
  );

  test('a server that is restarted: what happened meanwhile is shown, and nothing twice', async () => {
    const port = String(await freePort());
    const own = hasPostgres ? place : { CURFEW_DATA: freshData('watch') };
    const start = () => serve({ ...own, PORT: port, CURFEW_SERVICE_KEYS: SERVICE_KEY });
    let server = await start();
    const at = { CURFEW_URL: server.url, CURFEW_SERVICE_KEY: SERVICE_KEY };
    const add = async (email: string, where: Environment): Promise<number> =>
      (await run(['user', 'add', email, '--generate', '--json'], where)).json.user.id;
    const first = await add('first@example.com', at);
    const watching = follow(['watch', '--last', '1', '--json'], at);
    const created = (): number[] => watching.lines().map(({ user_id }) => user_id);
    try {
      await expect.poll(created).toEqual([first]);
      const second = await add('second@example.com', at);
      await expect.poll(created).toEqual([first, second]);
      await server.stop();
      // On the database itself, while nobody answers.
      const third = await add('third@example.com', own);
      server = await start();
      await expect.poll(created).toEqual([first, second, third]);
      const fourth = await add('fourth@example.com', at);
      await expect.poll(created).toEqual([first, second, third, fourth]);
    } finally {
      await watching.interrupt();
      await server.stop();
    }
  });
});
