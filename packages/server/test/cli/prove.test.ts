import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createVerifier } from '@curfew/verifier';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FAMILIES } from '../../src/trials.ts';
import { coverageOf, type NodeState, stateOf } from '../../src/cli/prove/coverage.ts';
import { isProven, renderReport, type ProofReport } from '../../src/cli/prove/report.ts';
import { Requests } from '../../src/cli/prove/requests.ts';
import { SCOPES } from '../../src/cli/prove/scopes.ts';
import type { Environment } from '../../src/config.ts';
import { findPostgres } from '../services/postgres.ts';
import { PASSWORD, SERVICE_KEY } from '../support.ts';
import { ownPlace, run, runProcess, serve, type ServerProcess } from './processes.ts';

/* `curfew prove`, on running servers. */

const hasPostgres = findPostgres() !== undefined;
let database: Awaited<ReturnType<typeof ownPlace>>;
let servers: ServerProcess[];
let place: Environment;
let remote: Environment;

/** The environment of a command with a new API key of an operator. */
async function withKey(...scopes: string[]): Promise<Environment> {
  const made = await servers[0]?.call('POST', '/v1/admin/api-keys', {
    bearer: SERVICE_KEY,
    body: { name: 'Prover', scopes },
  });
  return { ...remote, CURFEW_SERVICE_KEY: made?.json.secret };
}

beforeAll(async () => {
  database = await ownPlace();
  ({ place } = database);
  const start = () => serve({ ...place, CURFEW_SERVICE_KEYS: SERVICE_KEY, CURFEW_DEMO_ACCOUNTS: '1' });
  servers = await Promise.all(hasPostgres ? [start(), start()] : [start()]);
  remote = { CURFEW_URL: servers[0]?.url ?? '', CURFEW_SERVICE_KEY: SERVICE_KEY };
});
afterAll(async () => {
  for (const server of servers) expect(await server.stop()).toBe(0);
  await database.close();
});

/**
 * A back end that asks the authority, and caches the answer: the mistake that Curfew removes. It cannot tell at first.
 * @param refusal its status instead of 401
 */
async function forgetful(believesMs: number, refusal?: number): Promise<{ server: Server; url: string }> {
  const believed = new Map<string, number>();
  let asked = 0;
  const server = createServer((request, response) => {
    if (asked++ === 0) return void response.writeHead(503).end();
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

/** The nodes' states, once this many verifiers in all follow them: those of an earlier proof have left, each within its lease. */
async function statesWith(verifiers: number): Promise<Map<string, NodeState>> {
  const requests = new Requests();
  const states = new Map<string, NodeState>();
  try {
    await expect
      .poll(async () => {
        for (const { url } of servers) states.set(url, await stateOf(requests, url, SERVICE_KEY));
        return [...states.values()].reduce((sum, state) => sum + state.verifier_count, 0);
      })
      .toBe(verifiers);
  } finally {
    requests.close();
  }
  return states;
}

/** The families whose logout ends one session; each round has one logout of those that end all besides. */
const endingOne = FAMILIES.filter(({ trial }) => !trial.endsAll).map(({ trial }) => trial.name);
const logoutsOfARound = endingOne.length + 1 + SCOPES.length;

describe('prove', () => {
  const others = (): string[] => servers.slice(1).map(({ url }) => url);

  test('no surface accepts late: every contract, every scope, every node, their replicas, a verifier behind its back end', async () => {
    // A session of another user: no scope may reach it.
    const login = { email: 'test@example.com', password: PASSWORD };
    const stranger = (await servers[0]?.call('POST', '/v1/login', { body: login }))?.json.access_token;
    const verifier = createVerifier({
      authority: servers[0]?.url ?? '',
      serviceKey: SERVICE_KEY,
      audience: 'https://somebody.example',
      log: () => undefined,
    });
    const asking = await forgetful(0);
    try {
      expect(await verifier.ready(10_000)).toBe(true);
      const named = ['--back-end', asking.url, ...(hasPostgres ? ['--node', others().join(',')] : [])];
      const proof = await run(['prove', '--rounds', '2', '--json', ...named], await withKey('admin'));
      expect([proof.code, proof.json.late, proof.json.unconfirmed]).toEqual([0, 0, 0]);
      expect(proof.json.logouts).toBe(2 * logoutsOfARound);
      expect(proof.json.ways).toEqual([
        ...endingOne.map((name) => `contract ${name}`),
        'contract 003',
        ...['selected', 'device', 'others', 'all'].map((scope) => `user's ${scope}`),
        ...['sessions', 'device', 'user'].map((scope) => `administrator's ${scope}`),
        'contract 001',
      ]);
      expect((await servers[0]?.call('GET', '/v1/check', { bearer: stranger }))?.status).toBe(200);
      expect([proof.json.not_seen, proof.json.verifiers.length, proof.json.back_ends]).toEqual([[], 1, 1]);
      expect(proof.json.nodes.map(({ looked_at }: { looked_at: string[] }) => looked_at.length)).toEqual(
        servers.map(() => 1),
      );
      expect(proof.json.surfaces).toHaveLength(4 * servers.length + 1);
      for (const surface of proof.json.surfaces) expect(surface.checks).toBeGreaterThan(8);
      // The replicas in the proving process, the verifier, and the other node.
      expect(proof.json.acknowledged).toBe(3 * servers.length);
      expect(renderReport(proof.json)).toMatch(
        new RegExp(`^True everywhere: ${2 * logoutsOfARound} logouts, `, 'm'),
      );
      // The throw-away user is gone.
      const users = await run(['user', 'list', '--json'], remote);
      expect(users.json.users.map(({ id }: { id: number }) => id)).toEqual([1, 2]);

      // The same verifier behind no address that was named was not looked at.
      const states = await statesWith(1);
      const unnamed = coverageOf(states, states, 0);
      expect(unnamed.not_seen).toEqual([expect.stringMatching(/^1 of 1 verifiers \(\S+ at 127\.0\.0\.1\)$/)]);
      expect(isProven({ ...proof.json, ...unnamed })).toBe(false);
      expect(renderReport({ ...proof.json, ...unnamed })).toContain(
        'NOT proven everywhere: not checked: 1 of 1 verifiers',
      );
    } finally {
      asking.server.close();
      await verifier.close();
    }
  });

  test('with a given user, who stays: it finds back ends that accept late, back ends that never know, and nodes that were not checked', async () => {
    const [believing, mute] = [await forgetful(2000), await forgetful(0, 503)];
    await statesWith(0);
    const user = 'test@example.com';
    try {
      // Twice the same node, as behind a balancer, is one node.
      const node = servers[0]?.url ?? '';
      const named = ['--node', node, '--back-end', `${believing.url},${mute.url}`];
      const proof = await run(
        ['prove', '--rounds', '1', '--json', '--user', user, ...named],
        remote,
        `${PASSWORD}\n`,
      );
      const report = proof.json as ProofReport;
      expect([proof.code, report.logouts, report.unconfirmed]).toEqual([1, logoutsOfARound, 0]);
      const users = await run(['user', 'list', '--json'], remote);
      expect(users.json.users.map(({ id }: { id: number }) => id)).toEqual([1, 2]);

      const of = ({ url }: { url: string }) =>
        report.surfaces.filter(({ surface }) => surface === `back end at ${new URL(url).host}`);
      expect(of(believing)).toEqual([expect.objectContaining({ unsure: 0 })]);
      expect(report.late).toBe(of(believing)[0]?.late);
      expect(report.late).toBeGreaterThan(0);
      expect(renderReport(report)).toContain('NOT true everywhere');

      expect(of(mute)[0]?.checks).toBeGreaterThan(8);
      expect(of(mute)).toEqual([expect.objectContaining({ late: 0, unsure: of(mute)[0]?.checks })]);
      const honest = report.surfaces.filter((surface) => surface.late === 0);
      const unknowing = { ...report, late: 0, surfaces: honest, not_seen: [] };
      expect([isProven(unknowing), renderReport(unknowing)]).toEqual([
        false,
        expect.stringMatching(/^NOT proven: back end at /m),
      ]);

      const [seen, unseen] = [true, false].map((wanted) =>
        report.nodes.filter(({ looked_at: at }) => at.length > 0 === wanted).map(({ id }) => `node ${id}`),
      );
      expect([seen?.length, unseen?.length]).toEqual([1, hasPostgres ? 1 : 0]);
      expect(report.not_seen).toEqual(unseen);
      const partial = {
        ...unknowing,
        ...report,
        late: 0,
        surfaces: honest.filter((surface) => surface.unsure < surface.checks),
      };
      expect(isProven(partial)).toBe(!hasPostgres);
      if (hasPostgres)
        expect(renderReport(partial)).toContain(`NOT proven everywhere: not checked: ${unseen?.join()}.`);
      expect(isProven({ ...partial, not_seen: [] })).toBe(true);
    } finally {
      believing.server.close();
      mute.server.close();
    }
  });

  test('a check without an answer ends the proof and its process', async () => {
    // The first token that ends is refused as it should be; one that ends along with others is not.
    let ended: string | undefined;
    const odd = createServer((request, response) => {
      const { authorization = '', cookie = '' } = request.headers;
      const headers = authorization === '' ? { cookie } : { authorization };
      fetch(`${servers[0]?.url}/v1/check`, { headers }).then(
        ({ status }) => {
          const isToken = status === 401 && authorization.split('.').length === 3;
          if (isToken) ended ??= authorization;
          response.writeHead(isToken && authorization !== ended ? 418 : status).end();
        },
        () => response.writeHead(503).end(),
      );
    });
    await new Promise<void>((ready) => {
      odd.listen(0, '127.0.0.1', ready);
    });
    const url = `http://127.0.0.1:${(odd.address() as AddressInfo).port}/`;
    try {
      const proof = await runProcess(['prove', '--rounds', '1', '--back-end', url], remote);
      expect([proof.code, proof.err]).toEqual([
        1,
        expect.stringMatching(/^curfew: a check was answered with 418$/m),
      ]);
    } finally {
      odd.close();
    }
  });

  test('a check on a kept connection that the server just closed is repeated, a logout is not', async () => {
    const used = new Set<unknown>();
    const closing = createServer((request, response) => {
      if (used.has(request.socket)) return void request.socket.destroy();
      used.add(request.socket);
      response.end('heard');
    });
    await new Promise<void>((ready) => {
      closing.listen(0, '127.0.0.1', ready);
    });
    const url = `http://127.0.0.1:${(closing.address() as AddressInfo).port}/`;
    const requests = new Requests({ connections: 1 });
    try {
      for (let i = 0; i < 3; i++) expect((await requests.send('GET', url)).text).toBe('heard');
      await expect(requests.send('POST', url)).rejects.toThrow('socket hang up');
      expect(used.size).toBe(3);
    } finally {
      requests.close();
      closing.close();
    }
  });

  test('a key with too little is refused by the name of the scope, before anything is created', async () => {
    const created = async (): Promise<number> =>
      (await servers[0]?.call('GET', '/v1/admin/events?type=user_created', { bearer: SERVICE_KEY }))?.json
        .events.length;
    const least = await withKey('verify', 'sessions:end', 'users');
    const before = await created();
    expect(await run(['prove', '--rounds', '1'], least)).toMatchObject({
      code: 3,
      out: '',
      err: 'curfew: the API key in CURFEW_SERVICE_KEY lacks the scope admin. Set it to an API key with this scope.\n',
    });
    expect(await created()).toBe(before);
  });

  test('a wrong password is refused, and not repeated', async () => {
    const wrong = await run(['prove', '--rounds', '1', '--user', '2'], remote, 'not the password\n');
    expect([wrong.code, wrong.out]).toEqual([1, '']);
    expect(wrong.err).not.toContain('not the password');
  });

  test('a missing server and an invalid address are reported', async () => {
    const nowhere = await run(['prove'], { CURFEW_DATA: '/nowhere' });
    expect([nowhere.code, nowhere.err]).toEqual([1, expect.stringContaining('no running server')]);
    expect(await run(['prove', '--node', 'what?'], remote)).toMatchObject({ code: 2 });
  });
});
