/** The client outside of a page: Node processes that load the built client, use a real authority and must end by themselves. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { bundleClient } from '../../../tools/bundle-client.ts';
import { PASSWORD, SERVICE_KEY } from '../../server/test/support.ts';
import { openStage, type Stage } from './stage.ts';

/** `said`: the program's output, as JSON. */
interface Ended {
  code: number | null;
  said: unknown;
  stderr: string;
}

describe('on a server', () => {
  let stage: Stage;
  const directory = mkdtempSync(join(tmpdir(), 'curfew-client-'));
  const file = join(directory, 'client.mjs');
  beforeAll(async () => {
    writeFileSync(file, await bundleClient());
    stage = await openStage();
  });
  afterAll(async () => {
    rmSync(directory, { recursive: true });
    await stage?.close();
  });
  beforeEach(() => {
    stage.cut = false;
    stage.intercept = null;
    stage.requests.length = 0;
  });

  /** Runs a program that has `createClient` and may call `say` once. Without `close()`: it has to end all the same. */
  async function run(script: string, flags: string[] = []): Promise<Ended> {
    const program = `
      import { createClient, ProblemError } from ${JSON.stringify(file)};
      const authority = ${JSON.stringify(stage.origin)};
      const [TEST, ADMIN] = ['test@example.com', 'admin@example.com'].map((email) => ({ email, password: ${JSON.stringify(PASSWORD)} }));
      const say = (what) => console.log(JSON.stringify(what));
      ${script}`;
    const child = spawn(process.execPath, [...flags, '--input-type=module', '-e', program], {
      env: { PATH: process.env['PATH'] },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const late = setTimeout(() => child.kill('SIGKILL'), 15_000);
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    clearTimeout(late);
    return { code, said: stdout && JSON.parse(stdout), stderr };
  }

  async function aliveOf(userId: number): Promise<string[]> {
    const { json } = await stage.on.call('GET', `/v1/admin/sessions?user_id=${userId}`, {
      bearer: SERVICE_KEY,
    });
    return (json as { sessions: { id: string }[] }).sessions.map(({ id }) => id);
  }

  test('logs in, asks, fetches, renews and logs out, prints nothing, and the process ends', async () => {
    // Storage exists in such a process, and reports any access.
    const { code, said, stderr } = await run(
      `
      const heard = [];
      const client = createClient({ authority });
      client.onLoggedOut((why) => heard.push(why.where));
      client.onSessionsChanged(() => undefined);
      const { id, user } = await client.login(TEST);
      const asked = await client.session();
      const list = await client.sessions();
      const whole = await client.fetch(authority + '/v1/session');
      const path = await client.fetch('/v1/session');
      const out = await client.logout();
      say({
        email: user.email,
        same: asked.id === id && list.some((one) => one.current && one.id === id),
        statuses: [whole.status, path.status, (await client.fetch('/v1/session')).status],
        out, heard, after: await client.session(), because: client.endedBecause.reason,
      });`,
      ['--experimental-webstorage'],
    );
    expect(stderr).toBe('');
    expect(said).toMatchObject({
      email: 'test@example.com',
      same: true,
      statuses: [200, 200, 401],
      out: { local: true, server: 'done', ended: 1, confirmed: true },
      heard: ['here'],
      after: null,
      because: 'logout',
    });
    expect(code).toBe(0);
    expect(stage.requests.filter((one) => one.startsWith('UPGRADE'))).toEqual([]);
  });

  test('a logged-in program with listeners ends by itself', async () => {
    const { code, stderr } = await run(`
      const client = createClient({ authority, storage: 'local' });
      client.onLoggedOut(() => undefined);
      client.onSessionsChanged(() => undefined);
      await client.login(TEST);
      await client.session();`);
    expect([code, stderr]).toEqual([0, '']);
  });

  test('a queued logout keeps no process alive, and a running process sends it', async () => {
    let asked = 0;
    stage.intercept = (req, res) => {
      if (req.url !== '/v1/logout') return false;
      asked++;
      res.writeHead(503).end();
      return true;
    };
    const lost = await run(`
      const client = createClient({ authority });
      await client.login(TEST);
      say((await client.logout()).server);`);
    expect(lost).toEqual({ code: 0, said: 'pending', stderr: '' });

    asked = 0;
    stage.intercept = (req, res) => {
      if (req.url !== '/v1/logout' || ++asked > 2) return false;
      res.writeHead(503).end();
      return true;
    };
    const told = await run(`
      const goesOn = setInterval(() => undefined, 1000);
      const client = createClient({ authority });
      await client.login(TEST);
      const { sent } = await client.logout();
      say(await sent);
      clearInterval(goesOn);`);
    expect(told).toMatchObject({ code: 0, said: { ended: 1, confirmed: true }, stderr: '' });
  });

  test('without an authority createClient succeeds, and later calls throw an error that names the option', async () => {
    const nowhere = ['', '{ storage: "local" }', '{ authority: "/auth" }', '{ authority: "" }'];
    const cookies = ['{ authority, mode: "cookie" }', '{ mode: "cookie" }'];
    const tried = await run(`
      const all = [];
      for (const make of [${[...nowhere, ...cookies].map((options) => `() => createClient(${options})`).join(', ')}]) {
        const client = make();
        client.onLoggedOut(() => undefined);
        client.onSessionsChanged(() => undefined);
        const said = [];
        for (const call of [
          () => client.login(TEST), () => client.session(), () => client.sessions(), () => client.sessionsPage(),
          () => client.logout(), () => client.logout({ scope: 'all' }), () => client.fetch('/v1/session'), () => client.fetch(authority + '/v1/session'),
        ]) said.push(await call().then(() => 'done', (error) => error.name + ' ' + error.message));
        all.push([...new Set(said)]);
        client.close();
      }
      say(all);`);
    expect(tried).toEqual({
      code: 0,
      said: [
        ...nowhere.map(() => ['TypeError authority: must be an http(s) address']),
        ...cookies.map(() => ["TypeError mode: 'cookie' needs a browser"]),
      ],
      stderr: '',
    });
    expect(stage.requests).toEqual([]);
  });

  test('two clients in one process are two users that share nothing', async () => {
    const { code, said, stderr } = await run(`
      const heard = { one: [], other: [], third: [] };
      const clients = Object.fromEntries(Object.keys(heard).map((name) => {
        const client = createClient({ authority, storage: name === 'third' ? 'local' : 'memory' });
        client.onLoggedOut((why) => heard[name].push(why.reason));
        client.onSessionsChanged(() => heard[name].push('changed'));
        return [name, client];
      }));
      const { one, other, third } = clients;
      const ids = [await one.login(TEST), await other.login(ADMIN), await third.login(TEST)].map((session) => session.id);
      const asked = async () => (await Promise.all([one, other, third].map((client) => client.session()))).map((session) => session?.id ?? null);
      const before = await asked();
      await one.logout();
      const between = await asked();
      await one.login(ADMIN);
      await one.logout({ scope: 'this' });
      // A message on a channel of theirs would have arrived before this.
      const [from, to] = [new BroadcastChannel('test'), new BroadcastChannel('test')];
      await new Promise((resolve) => { to.onmessage = resolve; from.postMessage(1); });
      [from, to].map((channel) => channel.close());
      say({ before: before.every((id, nth) => id === ids[nth]), between: between.map((id, nth) => id === ids[nth]), after: (await asked()).map((id, nth) => id === ids[nth]), heard });`);
    expect(stderr).toBe('');
    expect(said).toEqual({
      before: true,
      between: [false, true, true],
      after: [false, true, true],
      heard: { one: ['logout', 'logout'], other: [], third: [] },
    });
    expect(code).toBe(0);
    expect(await aliveOf(1)).toHaveLength(1);
  });

  test('a refresh of one client does not wait for another, even where the runtime has locks', async () => {
    const { code, said, stderr } = await run(`
      const clients = [createClient({ authority }), createClient({ authority })];
      const [one, other] = clients;
      await one.login(TEST);
      await other.login(ADMIN);
      // As another part of the program may do, for ever.
      const names = [];
      for (const manager of [globalThis.navigator?.locks].filter(Boolean)) {
        const request = manager.request.bind(manager);
        manager.request = (name, ...rest) => (names.push(name), request(name, ...rest));
      }
      const real = fetch;
      let refused = 0;
      globalThis.fetch = async (input, init) => {
        const asks = input instanceof Request && input.url.endsWith('/v1/session') && refused < 2;
        return asks ? (refused++, new Response(null, { status: 401 })) : real(input, init);
      };
      const [a, b] = await Promise.all(clients.map((client) => client.session()));
      say({ users: [a?.user.email, b?.user.email], refused, names });`);
    expect(stderr).toBe('');
    expect(said).toEqual({ users: ['test@example.com', 'admin@example.com'], refused: 2, names: [] });
    expect(code).toBe(0);
    expect(stage.count('POST /v1/refresh')).toBe(2);
  });

  test('a listener’s error is printed and affects nothing else', async () => {
    const { code, said, stderr } = await run(`
      const client = createClient({ authority });
      client.onLoggedOut(() => { throw new Error('of the listener'); });
      client.onLoggedOut(async () => { throw new Error('of the other'); });
      await client.login(TEST);
      say(await client.logout());`);
    expect(said).toMatchObject({ server: 'done', ended: 1 });
    expect(stderr.match(/Error: of the (listener|other)/g)).toEqual([
      'Error: of the listener',
      'Error: of the other',
    ]);
    expect(code).toBe(0);
  });

  test('works in a runtime without navigator, channels, sockets and `credentials`', async () => {
    const { code, said, stderr } = await run(`
      for (const name of ['navigator', 'BroadcastChannel', 'WebSocket', 'localStorage', 'reportError']) delete globalThis[name];
      // As some runtimes at the edge do.
      const strict = (init) => { if (init?.credentials !== undefined) throw new TypeError('not implemented'); };
      const [RealRequest, real] = [Request, fetch];
      globalThis.Request = class extends RealRequest { constructor(input, init) { strict(init); super(input, init); } };
      let away = true;
      globalThis.fetch = async (input, init) => {
        strict(init);
        if (String(input).endsWith('/v1/refresh') && away) { away = false; throw new TypeError('fetch failed'); }
        if (input instanceof RealRequest && input.url.endsWith('/v1/sessions') && away) return new RealResponse(null, { status: 401 });
        return real(input, init);
      };
      const RealResponse = Response;
      const client = createClient({ authority });
      client.onLoggedOut(() => undefined);
      await client.login(TEST);
      say({ count: (await client.sessions()).length > 0, out: (await client.logout()).server });`);
    expect(stderr).toBe('');
    expect(said).toEqual({ count: true, out: 'done' });
    expect(code).toBe(0);
    // Refused once, and asked for new tokens a second time when the first did not arrive.
    expect(stage.count('POST /v1/refresh')).toBe(1);
  });
});
