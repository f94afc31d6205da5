/**
 * Nodes and back ends are upgraded one by one, in any order: the version before and this one, real, on one PostgreSQL. No session
 * is lost, and none that was logged out comes back.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newUser } from '../../server/test/http/logins.ts';
import { BY_CONTRACT, type Held, V1_COOKIE } from '../../server/test/http/ways-to-log-in.ts';
import { freshDatabase, hasPostgres } from '../../server/test/services/fresh-database.ts';
import {
  checkOutOlderVersion,
  hasOlderVersion,
  ROOT,
  startBackEnd,
  startServer,
} from '../../server/test/services/older-version.ts';
import { freePort } from '../../server/test/services/ports.ts';
import { type Answer, type Caller, callerOf, SERVICE_KEY } from '../../server/test/support.ts';
import { createVerifier, type Verifier } from '../src/index.ts';

const ISSUER = 'http://localhost:8000';
/** Sessions that are opened, checked everywhere and ended in each phase: every way to log in with every way to end it. */
const ROUNDS = 18;
const AT_ONCE = 4;
const WAYS = [...BY_CONTRACT, V1_COOKIE];

interface Session extends Pick<Held, 'credential'> {
  userId: number;
  refresh: string;
}
/** A place that accepts or refuses a credential. */
interface Surface {
  name: string;
  accepts: (session: Pick<Held, 'credential'>) => Promise<boolean>;
}
const textOf = ({ credential }: Pick<Held, 'credential'>): string =>
  credential.bearer ?? credential.cookie ?? '';

describe.runIf(hasPostgres() && hasOlderVersion())('an upgrade', { timeout: 240_000 }, () => {
  const ends: (() => unknown)[] = [];
  let directory: string;
  let settings: Record<string, string>;
  beforeAll(async () => {
    directory = checkOutOlderVersion();
    settings = {
      DATABASE_URL: await freshDatabase(),
      CURFEW_SERVICE_KEYS: SERVICE_KEY,
      CURFEW_ISSUER: ISSUER,
      CURFEW_CLIENTS: '{"shop":{}}',
      NODE_ENV: 'development',
    };
  });
  afterAll(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  async function start(from: string): Promise<{ url: string; call: Caller; stop: () => Promise<void> }> {
    const port = await freePort();
    const { stop } = await startServer(from, port, settings);
    ends.push(stop);
    const url = `http://127.0.0.1:${port}`;
    return { url, call: callerOf((request) => fetch(request), url), stop };
  }
  const open = async (call: Caller): Promise<Session> => {
    const { id: userId } = await newUser(call);
    const body = { user_id: userId, client_id: 'default' };
    const { status, json } = await call('POST', '/v1/admin/sessions', { bearer: SERVICE_KEY, body });
    expect(status).toBe(200);
    return { userId, credential: { bearer: json.access_token }, refresh: json.refresh_token };
  };
  const refresh = (call: Caller, token: string | undefined): Promise<Answer> =>
    call('POST', '/v1/refresh', { body: { refresh_token: token } });
  const nodeSurface = (name: string, call: Caller): Surface => ({
    name,
    accepts: async ({ credential }) => (await call('GET', '/v1/check', credential)).status === 200,
  });
  const verdicts = (
    surfaces: readonly Surface[],
    session: Pick<Held, 'credential'>,
  ): Promise<[string, boolean][]> =>
    Promise.all(
      surfaces.map(async ({ name, accepts }) => [name, await accepts(session)] as [string, boolean]),
    );
  const everywhere = (surfaces: readonly Surface[], accepted: boolean): [string, boolean][] =>
    surfaces.map(({ name }) => [name, accepted]);

  /**
   * Opens sessions at each node in turn, by the logins of all contracts and of `/v1`, checks them everywhere, and ends them at each
   * node in turn: by their own logout, with all sessions of the user, or by an administrator.
   */
  async function work(nodes: readonly Caller[], surfaces: readonly Surface[], gone: Held[]): Promise<void> {
    const at = (i: number): Caller => nodes[i % nodes.length] as Caller;
    let next = 0;
    const worker = async (): Promise<void> => {
      const person = await newUser(at(next));
      for (let i = next++; i < ROUNDS; i = next++) {
        const held = await (WAYS[i % WAYS.length] as (typeof WAYS)[0]).open(at(i), person);
        expect(await verdicts(surfaces, held)).toEqual(everywhere(surfaces, true));
        const { credential } = held;
        const all = { scope: 'user', user_id: person.id };
        const out = [
          () => held.logOut(at(i + 1)),
          () => at(i + 1)('POST', '/v1/logout', { ...credential, body: { scope: 'all' } }),
          () => at(i)('POST', '/v1/admin/logout', { bearer: SERVICE_KEY, body: all }),
        ][(i + Math.floor(i / WAYS.length)) % 3];
        const answer = await out?.();
        // `/v1` says it in the body, the contracts in a header.
        const said =
          answer?.headers.get('curfew-propagation') ?? `confirmed=?${answer?.json.confirmed ? 1 : 0}`;
        expect([held.name, answer?.status, said]).toEqual([
          held.name,
          200,
          expect.stringMatching(/^confirmed=\?1/),
        ]);
        expect(await verdicts(surfaces, held)).toEqual(everywhere(surfaces, false));
        gone.push(held);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  }

  async function newBackEnd(name: string, url: string): Promise<Surface & { verifier: Verifier }> {
    const verifier = createVerifier({
      authority: url,
      serviceKey: SERVICE_KEY,
      audience: ISSUER,
      log: () => undefined,
    });
    ends.push(() => verifier.close());
    expect(await verifier.ready(30_000)).toBe(true);
    return { name, verifier, accepts: async (session) => (await verifier.verify(textOf(session))).ok };
  }
  async function oldBackEnd(name: string, url: string) {
    const backEnd = await startBackEnd(directory, url, SERVICE_KEY, ISSUER);
    ends.push(backEnd.stop);
    expect(await backEnd.isFresh()).toBe(true);
    const accepts: Surface['accepts'] = async (session) => (await backEnd.verify(textOf(session))).ok;
    return { name, backEnd, accepts };
  }

  test('under load loses no session, and brings none back', async () => {
    const gone: Held[] = [];
    const kept: Session[] = [];
    const older = await start(directory);
    kept.push(await open(older.call), await open(older.call));
    // The new one migrates the database, and the older one goes on.
    const newer = await start(ROOT);
    kept.push(await open(older.call), await open(newer.call));
    const both = [older.call, newer.call];
    const [oldAtNew, newAtNew] = [
      await oldBackEnd('old back end, new node', newer.url),
      await newBackEnd('new back end, new node', newer.url),
    ];
    const surfaces = [
      nodeSurface('old node', older.call),
      nodeSurface('new node', newer.call),
      await oldBackEnd('old back end, old node', older.url),
      await newBackEnd('new back end, old node', older.url),
      oldAtNew,
      newAtNew,
    ];
    await work(both, surfaces, gone);
    for (const one of kept) expect(await verdicts(surfaces, one)).toEqual(everywhere(surfaces, true));
    // Judged by their own replicas, and not by asking.
    expect(await oldAtNew.backEnd.verify(textOf(kept[0] as Session))).toMatchObject({
      ok: true,
      by: 'memory',
    });
    expect(await newAtNew.verifier.verify(textOf(kept[0] as Session))).toMatchObject({
      ok: true,
      by: 'memory',
    });

    // A kind of ending that the older node would not follow waits for the end of the upgrade.
    const grant = { scope: 'grant', user_id: kept[3]?.userId, client_id: 'default' };
    expect(await newer.call('POST', '/v1/admin/logout', { bearer: SERVICE_KEY, body: grant })).toMatchObject({
      status: 503,
      json: { code: 'older_node' },
    });

    const last = await start(ROOT);
    await Promise.all([work([newer.call, last.call], [oldAtNew, newAtNew], gone), older.stop()]);
    const now = [
      nodeSurface('new node', newer.call),
      nodeSurface('last node', last.call),
      oldAtNew,
      newAtNew,
    ];
    await work([newer.call, last.call], now, gone);
    for (const one of kept) expect(await verdicts(now, one)).toEqual(everywhere(now, true));
    for (const one of gone) expect(await verdicts(now, one)).toEqual(everywhere(now, false));
    for (const [i, one] of kept.entries())
      expect((await refresh([newer, last][i % 2]?.call as Caller, one.refresh)).status).toBe(200);
    const refreshable = gone.filter((one) => one.refresh !== undefined);
    expect(refreshable.length).toBeGreaterThan(ROUNDS / 4);
    for (const one of refreshable) expect((await refresh(newer.call, one.refresh)).status).toBe(401);

    // The older back end does not know this kind of cut: it is waited out, stale from then on, and right by asking.
    expect(await newer.call('POST', '/v1/admin/logout', { bearer: SERVICE_KEY, body: grant })).toMatchObject({
      status: 200,
      json: { ended: 1, confirmed: true, waited_out: 1 },
    });
    const ended = kept.pop();
    expect(await verdicts(now, ended as Session)).toEqual(everywhere(now, false));
    for (const one of kept) expect(await verdicts(now, one)).toEqual(everywhere(now, true));
    expect(await oldAtNew.backEnd.isFresh()).toBe(false);
    expect(newAtNew.verifier.freshness.state).toBe('fresh');
    await work([newer.call, last.call], now, gone);
  });
});
