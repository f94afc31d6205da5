/**
 * Nodes and back ends are upgraded one by one, in any order: the version before and this one, real, on one PostgreSQL. No session
 * is lost, and none that was logged out comes back.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freshDatabase, hasPostgres } from '../../server/test/services/fresh-database.ts';
import {
  checkOutOlderVersion,
  hasOlderVersion,
  ROOT,
  startBackEnd,
  startServer,
} from '../../server/test/services/older-version.ts';
import { freePort } from '../../server/test/services/ports.ts';
import { type AnyJson, SERVICE_KEY } from '../../server/test/support.ts';
import { createVerifier, type Verifier } from '../src/index.ts';

const ISSUER = 'http://localhost:8000';
/** Sessions that are opened, checked everywhere and logged out in each phase. */
const ROUNDS = 24;
const AT_ONCE = 4;

interface Session {
  sid: string;
  userId: number;
  bearer: string;
  refresh: string;
}
/** A place that accepts or refuses a credential. */
interface Surface {
  name: string;
  accepts: (bearer: string) => Promise<boolean>;
}

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
      NODE_ENV: 'development',
    };
  });
  afterAll(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  async function start(from: string): Promise<{ url: string; stop: () => Promise<void> }> {
    const port = await freePort();
    const { stop } = await startServer(from, port, settings);
    ends.push(stop);
    return { url: `http://127.0.0.1:${port}`, stop };
  }
  const call = async (url: string, method: string, path: string, bearer: string, body?: object) => {
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: { authorization: `Bearer ${bearer}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, json: (text === '' ? null : JSON.parse(text)) as AnyJson };
  };
  let users = 0;
  const open = async (url: string, clientId = 'default'): Promise<Session> => {
    const made = await call(url, 'POST', '/v1/admin/users', SERVICE_KEY, {
      email: `user-${++users}@example.com`,
    });
    const userId: number = made.json.user.id;
    const { status, json } = await call(url, 'POST', '/v1/admin/sessions', SERVICE_KEY, {
      user_id: userId,
      client_id: clientId,
    });
    expect(status).toBe(200);
    return { sid: json.session.id, userId, bearer: json.access_token, refresh: json.refresh_token };
  };
  const nodeSurface = (name: string, url: string): Surface => ({
    name,
    accepts: async (bearer) => (await call(url, 'GET', '/v1/check', bearer)).status === 200,
  });
  const verdicts = (surfaces: readonly Surface[], bearer: string): Promise<[string, boolean][]> =>
    Promise.all(
      surfaces.map(async ({ name, accepts }) => [name, await accepts(bearer)] as [string, boolean]),
    );
  const everywhere = (surfaces: readonly Surface[], accepted: boolean): [string, boolean][] =>
    surfaces.map(({ name }) => [name, accepted]);

  /** Opens sessions at each node in turn, checks them everywhere, and logs them out at each node in turn. */
  async function work(
    nodes: readonly string[],
    surfaces: readonly Surface[],
    gone: Session[],
  ): Promise<void> {
    const at = (i: number): string => nodes[i % nodes.length] ?? '';
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let i = next++; i < ROUNDS; i = next++) {
        const session = await open(at(i));
        expect(await verdicts(surfaces, session.bearer)).toEqual(everywhere(surfaces, true));
        const out = [
          () => call(at(i + 1), 'POST', '/v1/logout', session.bearer, { scope: 'this' }),
          () => call(at(i + 1), 'POST', '/v1/logout', session.bearer, { scope: 'all' }),
          () =>
            call(at(i), 'POST', '/v1/admin/logout', SERVICE_KEY, { scope: 'user', user_id: session.userId }),
        ][i % 3];
        expect(await out?.()).toMatchObject({ status: 200, json: { ended: 1, confirmed: true } });
        expect(await verdicts(surfaces, session.bearer)).toEqual(everywhere(surfaces, false));
        gone.push(session);
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
    return { name, verifier, accepts: async (bearer) => (await verifier.verify(bearer)).ok };
  }
  async function oldBackEnd(name: string, url: string) {
    const backEnd = await startBackEnd(directory, url, SERVICE_KEY, ISSUER);
    ends.push(backEnd.stop);
    expect(await backEnd.isFresh()).toBe(true);
    return { name, backEnd, accepts: async (bearer: string) => (await backEnd.verify(bearer)).ok };
  }

  test('under load loses no session, and brings none back', async () => {
    const [gone, kept]: [Session[], Session[]] = [[], []];
    const older = await start(directory);
    kept.push(await open(older.url), await open(older.url));
    // The new one migrates the database, and the older one goes on.
    const newer = await start(ROOT);
    kept.push(await open(older.url), await open(newer.url));
    const both = [older.url, newer.url];
    const [oldAtNew, newAtNew] = [
      await oldBackEnd('old back end, new node', newer.url),
      await newBackEnd('new back end, new node', newer.url),
    ];
    const surfaces = [
      nodeSurface('old node', older.url),
      nodeSurface('new node', newer.url),
      await oldBackEnd('old back end, old node', older.url),
      await newBackEnd('new back end, old node', older.url),
      oldAtNew,
      newAtNew,
    ];
    await work(both, surfaces, gone);
    for (const { bearer } of kept)
      expect(await verdicts(surfaces, bearer)).toEqual(everywhere(surfaces, true));
    // Judged by their own replicas, and not by asking.
    expect(await oldAtNew.backEnd.verify(kept[0]?.bearer ?? '')).toMatchObject({ ok: true, by: 'memory' });
    expect(await newAtNew.verifier.verify(kept[0]?.bearer ?? '')).toMatchObject({ ok: true, by: 'memory' });

    // A kind of ending that the older node would not follow waits for the end of the upgrade.
    const grant = { scope: 'grant', user_id: kept[3]?.userId, client_id: 'default' };
    expect(await call(newer.url, 'POST', '/v1/admin/logout', SERVICE_KEY, grant)).toMatchObject({
      status: 503,
      json: { code: 'older_node' },
    });

    const last = await start(ROOT);
    await Promise.all([work([newer.url, last.url], [oldAtNew, newAtNew], gone), older.stop()]);
    const now = [nodeSurface('new node', newer.url), nodeSurface('last node', last.url), oldAtNew, newAtNew];
    await work([newer.url, last.url], now, gone);
    for (const { bearer } of kept) expect(await verdicts(now, bearer)).toEqual(everywhere(now, true));
    for (const { bearer } of gone) expect(await verdicts(now, bearer)).toEqual(everywhere(now, false));
    for (const [i, { refresh }] of kept.entries()) {
      const { status } = await call([newer, last][i % 2]?.url ?? '', 'POST', '/v1/refresh', '', {
        refresh_token: refresh,
      });
      expect(status).toBe(200);
    }
    for (const { refresh } of gone)
      expect((await call(newer.url, 'POST', '/v1/refresh', '', { refresh_token: refresh })).status).toBe(401);

    // The older back end does not know this kind of cut: it is waited out, stale from then on, and right by asking.
    expect(await call(newer.url, 'POST', '/v1/admin/logout', SERVICE_KEY, grant)).toMatchObject({
      status: 200,
      json: { ended: 1, confirmed: true, waited_out: 1 },
    });
    const ended = kept.pop();
    expect(await verdicts(now, ended?.bearer ?? '')).toEqual(everywhere(now, false));
    for (const { bearer } of kept) expect(await verdicts(now, bearer)).toEqual(everywhere(now, true));
    expect(await oldAtNew.backEnd.isFresh()).toBe(false);
    expect(newAtNew.verifier.freshness.state).toBe('fresh');
    await work([newer.url, last.url], now, gone);
  });
});
