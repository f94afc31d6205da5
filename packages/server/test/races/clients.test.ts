/** Changes of applications during logins, and at nodes that do not know of them yet. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasPostgres } from '../services/fresh-database.ts';
import { openHandClock, passUntil, passWhile, timeOf } from '../services/hand-clock.ts';
import { hold } from '../services/held-database.ts';
import { type Answer, SERVICE_KEY } from '../support.ts';
import { answeredOrLocked, type Node, openPlace, type Place, RACES } from './node.ts';

describe.runIf(hasPostgres())('applications', () => {
  const clock = openHandClock();
  let on: Place;
  beforeAll(async () => {
    on = await openPlace('postgres', {}, timeOf(clock));
  });
  afterAll(() => on.close());

  const admin = (method: string, path: string, body: object = {}, node = on.at(0)): Promise<Answer> =>
    node.call(method, path, { bearer: SERVICE_KEY, body });
  let made = 0;
  async function newClient(terms: object = {}): Promise<string> {
    const client_id = `client-${++made}`;
    expect((await admin('POST', '/v1/admin/clients', { client_id, ...terms })).status).toBe(201);
    return client_id;
  }
  const logIn = async (node: Node, client_id: string): Promise<Answer> => {
    const { email } = await on.user();
    return node.call('POST', '/v1/login', { body: { email, password: 'secret', client_id } });
  };
  const isAlive = async ({ json }: Answer): Promise<boolean> => {
    const bearer = String(json['access_token']);
    const statuses = await Promise.all(
      on.nodes.map(async (node) => (await node.call('GET', '/v1/check', { bearer })).status),
    );
    expect(new Set(statuses).size).toBe(1);
    return statuses[0] === 200;
  };

  const closings: [string, (client: string) => Promise<Answer>][] = [
    ['disabling', (client) => admin('PATCH', `/v1/admin/clients/${client}`, { disabled: true })],
    ['deleting', (client) => admin('DELETE', `/v1/admin/clients/${client}`)],
  ];
  describe.each(closings)('%s one', (_name, close) => {
    test.each(RACES)('while a login with it stops $at, at $where: none is alive', async ({ at, node }) => {
      const client = await newClient();
      const held = hold(on.at(node).world.database, 'insert_session', at);
      const login = logIn(on.at(node), client);
      await held.reached;
      const closing = at === 'after' ? closeConfirmed(client, close) : close(client);
      // It waits for a login that has been written and not committed.
      await (at === 'uncommitted' ? answeredOrLocked(on, closing) : closing);
      held.release();
      expect((await closing).status).toBe(200);
      const outcome = await login;
      expect(outcome.status).toBe(at === 'before' ? 401 : 200);
      if (outcome.status === 200) expect(await isAlive(outcome)).toBe(false);
    });

    test.each([0, 1])('a login within its transaction, at node %s, is refused', async (node) => {
      const client = await newClient();
      const held = hold(on.at(0).world.database, 'cut_client', 'uncommitted');
      const closing = close(client);
      await held.reached;
      const login = logIn(on.at(node), client);
      await answeredOrLocked(on, login);
      held.release();
      expect((await closing).status).toBe(200);
      expect((await login).status).toBe(401);
    });
  });

  /** The session of a held login is counted once it is committed. */
  async function closeConfirmed(client: string, close: (client: string) => Promise<Answer>): Promise<Answer> {
    const first = await close(client);
    expect([first.status, first.json['count']]).toEqual([409, 1]);
    const path = `/v1/admin/clients/${client}`;
    return close === closings[0]?.[1]
      ? admin('PATCH', path, { disabled: true, confirm: 1 })
      : admin('DELETE', path, { confirm: 1 });
  }

  test('every node knows a change when it is answered', async () => {
    const client = await newClient({ audience: 'https://a.example', access_token_seconds: 60 });
    const terms = async (): Promise<unknown> => {
      const { json } = await logIn(on.at(1), client);
      const [, payload = ''] = String(json['access_token']).split('.');
      const { aud, iat, exp } = JSON.parse(Buffer.from(payload, 'base64url').toString());
      return [aud, exp - iat];
    };
    expect(await terms()).toEqual(['https://a.example', 60]);
    const change = { audience: 'https://b.example', access_token_seconds: 90, algorithm: 'ES256' };
    expect((await admin('PATCH', `/v1/admin/clients/${client}`, change)).status).toBe(200);
    expect(await terms()).toEqual(['https://b.example', 90]);
    expect(
      (await on.at(1).call('GET', '/v1/admin/clients/' + client, { bearer: SERVICE_KEY })).json,
    ).toMatchObject({
      client: change,
    });
  });

  test('shorter lifetimes hold for sessions that begin afterwards; an earlier one is accepted until its own end', async () => {
    const client_id = await newClient({ idle_seconds: 600, absolute_seconds: 3600 });
    const { id } = await on.user();
    const open = async (): Promise<{ bearer: string; lifetimes: number[] }> => {
      const body = { user_id: id, client_id, transport: 'opaque' };
      const { json } = await admin('POST', '/v1/admin/sessions', body, on.at(1));
      const { created_at, idle_expires_at, expires_at } = json['session'] as Record<string, string>;
      const secondsTo = (end = ''): number => (Date.parse(end) - Date.parse(created_at ?? '')) / 1000;
      return {
        bearer: String(json['session_token']),
        lifetimes: [secondsTo(idle_expires_at), secondsTo(expires_at)],
      };
    };
    const checks = ({ bearer }: { bearer: string }): Promise<number[]> =>
      Promise.all(on.nodes.map(async (node) => (await node.call('GET', '/v1/check', { bearer })).status));
    const pass = async (seconds: number): Promise<void> => {
      clock.pass(seconds * 1000);
      await passUntil(clock, 'the nodes are fresh', () =>
        on.nodes.every(({ world }) => world.nodes.node.isFresh()),
      );
    };
    const earlier = await open();
    const shorter = { idle_seconds: 60, absolute_seconds: 120 };
    const changed = await admin('PATCH', `/v1/admin/clients/${client_id}`, shorter);
    expect(changed.json).toMatchObject({ confirmed: true, ended: 0, client: shorter });
    const later = await open();
    expect([earlier.lifetimes, later.lifetimes]).toEqual([
      [600, 3600],
      [60, 120],
    ]);
    const [all, none] = [on.nodes.map(() => 200), on.nodes.map(() => 401)];
    expect([await checks(earlier), await checks(later)]).toEqual([all, all]);
    await pass(200);
    expect([await checks(earlier), await checks(later)]).toEqual([all, none]);
    // Longer than its own idle limit, and what a node adds to it.
    await pass(620);
    expect(await checks(earlier)).toEqual(none);
  });

  test('a node that cannot read the change is not fresh, and the database refuses its logins', async () => {
    const client = await newClient();
    const session = await logIn(on.at(1), client);
    const behind = on.at(1).world;
    const held = hold(behind.database, 'every_client', 'before');
    const path = `/v1/admin/clients/${client}`;
    const disabled = await passWhile(clock, admin('PATCH', path, { disabled: true, confirm: 1 }));
    expect(disabled.json).toMatchObject({ confirmed: true, waited_out: 1 });
    expect(behind.nodes.node.isFresh()).toBe(false);
    expect(behind.clients.of(client).disabled).toBe(false);
    expect((await logIn(on.at(1), client)).status).toBe(401);
    expect(await isAlive(session)).toBe(false);
    held.release();
    await passUntil(clock, 'the node has read the change', () => behind.nodes.node.isFresh());
    expect(behind.clients.of(client).disabled).toBe(true);
  });

  test('a node that has not read a new audience yet accepts its tokens, because it asks', async () => {
    const behind = on.at(1).world;
    const held = hold(behind.database, 'next_endings', 'before');
    let reads = false;
    void held.reached.then(() => (reads = true));
    await passUntil(clock, 'the node reads the log', () => reads);
    const creating = admin('POST', '/v1/admin/clients', {
      client_id: 'fair',
      audience: 'https://fair.example',
    });
    expect((await passWhile(clock, creating)).status).toBe(201);
    expect(behind.clients.clients.has('fair')).toBe(false);
    expect(await isAlive(await logIn(on.at(0), 'fair'))).toBe(true);
    held.release();
  });

  test('a failed look at the clients is a failed read of the log', async () => {
    const behind = on.at(1).world;
    const query = behind.database.query.bind(behind.database);
    let fails = true;
    behind.database.query = (config) => {
      if (fails && config.name === 'every_client') throw new Error('no answer');
      return query(config);
    };
    const client = newClient({ access_token_seconds: 77 });
    await passWhile(clock, client);
    expect(behind.nodes.node.isFresh()).toBe(false);
    fails = false;
    await passUntil(clock, 'the node is fresh again', () => behind.nodes.node.isFresh());
    expect(behind.clients.of(await client).accessTokenSeconds).toBe(77);
    behind.database.query = query;
  });
});
