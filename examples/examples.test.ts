import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createVerifier } from '@curfew/verifier';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freshData } from '../packages/server/test/services/embedded-data.ts';
import { freshDatabase, hasPostgres } from '../packages/server/test/services/fresh-database.ts';
import { freePort } from '../packages/server/test/services/ports.ts';
import { listen } from '../packages/server/test/http/notices-door.ts';
import { compileCache } from '../packages/server/test/services/scratch.ts';
import { migrated, SERVICE_KEY } from '../packages/server/test/support.ts';

interface Example {
  url: string;
  child: ChildProcess;
  output: () => string;
}

/** Where each example has the authority. */
const BASE = '/auth';
const FILES = ['express.ts', 'fastify.ts', 'hono.ts', 'fetch.ts', 'node-http.ts'];

/** Starts an example by the command in its first line, on a free port and an empty database; the first one on the embedded database. */
async function start(file: string): Promise<Example> {
  const port = await freePort();
  const child = spawn(process.execPath, ['--conditions=curfew-source', join(import.meta.dirname, file)], {
    env: {
      PATH: process.env['PATH'],
      PORT: String(port),
      CURFEW_SERVICE_KEYS: SERVICE_KEY,
      ...compileCache(),
      ...(file === FILES[0] || !hasPostgres()
        ? { CURFEW_DATA: freshData('example'), CURFEW_EMBEDDED_FSYNC: '0' }
        : { DATABASE_URL: await freshDatabase(migrated), CURFEW_DEMO_ACCOUNTS: '1' }),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await new Promise<void>((ready, fail) => {
    child.once('exit', (code) => fail(new Error(`${file} ended with ${code}\n${output}`)));
    createInterface(child.stdout).on('line', (line) => {
      output += `${line}\n`;
      if (line.startsWith('listening on ')) ready();
    });
  });
  return { url: `http://127.0.0.1:${port}`, child, output: () => output };
}

describe.each(FILES)('examples/%s', (file) => {
  let example: Example;
  beforeAll(async () => {
    example = await start(file);
  }, 60_000);
  afterAll(() => {
    example?.child.kill('SIGKILL');
  });

  const ask = (path: string, token?: string, body?: object): Promise<Response> =>
    fetch(example.url + path, {
      method: body ? 'POST' : 'GET',
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body ? { 'content-type': 'application/json' } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
  const credentials = { email: 'test@example.com', password: 'password123' };
  async function logIn(): Promise<string> {
    const answer = await ask(`${BASE}/v1/login`, undefined, credentials);
    expect(answer.status).toBe(200);
    return ((await answer.json()) as { access_token: string }).access_token;
  }

  test('the example has fewer than 40 lines', () => {
    const lines = readFileSync(join(import.meta.dirname, file), 'utf8')
      .trimEnd()
      .split('\n');
    expect(lines.length).toBeLessThan(40);
  });

  test('logs in, checks, logs out and refuses', async () => {
    const token = await logIn();
    expect((await ask(`${BASE}/v1/check`, token)).headers.get('curfew-subject')).toBe('2');
    const hello = await ask('/hello', token);
    expect([hello.status, await hello.json()]).toEqual([200, { hello: '2' }]);

    const logout = await ask(`${BASE}/v1/logout`, token, { scope: 'all' });
    expect(await logout.json()).toMatchObject({ confirmed: true });
    expect((await ask(`${BASE}/v1/check`, token)).status).toBe(401);
    expect((await ask('/hello', token)).status).toBe(401);
  });

  test('serves the other contracts and the page of the API', async () => {
    const answer = await ask(`${BASE}/auth/login`, undefined, credentials);
    const { data } = (await answer.json()) as { data: { access_token: string } };
    expect((await ask(`${BASE}/auth/profile`, data.access_token)).status).toBe(200);
    expect((await ask(`${BASE}/api/v1/auth/status`, data.access_token)).status).toBe(200);
    expect((await ask(`${BASE}/api/users/2`, data.access_token)).status).toBe(200);
    expect((await ask(`${BASE}/auth/logout`, data.access_token, {})).status).toBe(200);
    expect((await ask(`${BASE}/auth/profile`, data.access_token)).status).toBe(401);
    for (const path of ['/docs', '/openapi.json', '/.well-known/jwks.json'])
      expect([path, (await ask(BASE + path)).status]).toEqual([path, 200]);
  });

  test('a verifier follows through the mounted server, and a page and a notice come from it', async () => {
    const login = await fetch(`${example.url}${BASE}/login`);
    expect([login.status, await login.text()]).toEqual([
      200,
      expect.stringContaining(`action="${BASE}/login"`),
    ]);
    const verifier = createVerifier({
      authority: example.url + BASE,
      serviceKey: SERVICE_KEY,
      audience: `http://localhost:${new URL(example.url).port}${BASE}`,
    });
    try {
      expect(await verifier.ready()).toBe(true);
      const [bearer, other] = [await logIn(), await logIn()];
      expect(await verifier.verify(bearer)).toMatchObject({ ok: true, by: 'memory' });
      const device = await listen(example.url + BASE, { bearer });
      const ended = await ask(`${BASE}/v1/logout`, other, { scope: 'others' });
      expect(await ended.json()).toMatchObject({ confirmed: true });
      expect(await verifier.verify(bearer)).toEqual({ ok: false, reason: 'ended' });
      expect(await device.hears('session.ended')).toMatchObject({ by: 'other_device' });
    } finally {
      await verifier.close();
    }
  });

  test('passes the client’s address to the authority', async () => {
    const token = await logIn();
    const answer = await ask(`${BASE}/v1/sessions`, token);
    const { sessions } = (await answer.json()) as { sessions: { ip_address: string; current: boolean }[] };
    expect(sessions.find((session) => session.current)?.ip_address).toBe('127.0.0.1');
  });

  test('the program’s own paths do not reach the authority', async () => {
    expect((await ask('/hello')).status).toBe(401);
    const unknown = await ask('/authors');
    expect(unknown.status).toBe(404);
    // The authority would have put this on its own 404.
    expect(unknown.headers.get('x-request-id')).toBeNull();
  });

  test('SIGTERM stops the program', async () => {
    const exit = once(example.child, 'exit');
    example.child.kill('SIGTERM');
    expect(await exit).toEqual([0, null]);
    expect(example.output()).not.toContain('"level":"error"');
  });
});
