/** The Next.js example. It has packages of its own, which `npm ci` of the repository does not install. */
import { execFileSync, type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createVerifier } from '@curfew/verifier';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freshData } from '../packages/server/test/services/embedded-data.ts';
import { listen } from '../packages/server/test/http/notices-door.ts';
import { freePort } from '../packages/server/test/services/ports.ts';
import { requireService } from '../packages/server/test/services/require.ts';
import { compileCache } from '../packages/server/test/services/scratch.ts';
import { type AnyJson, SERVICE_KEY } from '../packages/server/test/support.ts';

const HOME = join(import.meta.dirname, 'next');
const NEXT = join(HOME, 'node_modules/next/dist/bin/next');
const next = requireService(
  'Next.js',
  existsSync(NEXT) ? NEXT : undefined,
  'run `npm ci --ignore-scripts --prefix examples/next`.',
);

describe.runIf(next)('examples/next', () => {
  let child: ChildProcess;
  let url: string;
  let output = '';
  beforeAll(async () => {
    const env = { PATH: process.env['PATH'], NEXT_TELEMETRY_DISABLED: '1', NODE_ENV: 'production' };
    execFileSync(process.execPath, [NEXT, 'build'], { cwd: HOME, env, stdio: 'pipe' });
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    child = spawn(process.execPath, ['--conditions=curfew-source', 'server.ts'], {
      cwd: HOME,
      env: {
        ...env,
        ...compileCache(),
        PORT: String(port),
        CURFEW_ISSUER: `${url}/auth`,
        CURFEW_KEY: SERVICE_KEY,
        CURFEW_SERVICE_KEYS: SERVICE_KEY,
        CURFEW_DATA: freshData('example'),
        LOG_LEVEL: 'warn',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    await new Promise<void>((ready, fail) => {
      child.once('exit', (code) => fail(new Error(`server.ts ended with ${code}\n${output}`)));
      createInterface(child.stdout as NodeJS.ReadableStream).on('line', (line) => {
        if (line.startsWith('listening on ')) ready();
      });
    });
  });
  afterAll(() => void child?.kill('SIGKILL'));

  const send = async (path: string, bearer: string, body: object): Promise<AnyJson> => {
    const headers = { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' };
    return (await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) })).json();
  };
  const hello = (bearer?: string): Promise<Response> =>
    fetch(`${url}/hello`, {
      redirect: 'manual',
      headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` },
    });

  test('a page, the authority’s own page, a verifier and a notice share one server', async () => {
    const verifier = createVerifier({ authority: `${url}/auth`, serviceKey: SERVICE_KEY });
    try {
      expect(await verifier.ready()).toBe(true);
      const { user } = await send('/auth/v1/admin/users', SERVICE_KEY, {
        email: 'ada@example.com',
        password: 'a password of these tests',
      });
      const open = async (): Promise<string> =>
        (await send('/auth/v1/admin/sessions', SERVICE_KEY, { user_id: user.id })).access_token;
      const [bearer, other] = [await open(), await open()];
      expect(await (await hello(bearer)).text()).toMatch(/<h1>Hello (<!-- -->)?1<\/h1>/);
      const away = await hello();
      expect([away.status, away.headers.get('location')]).toEqual([307, '/auth/login?next=/hello']);
      expect(await (await fetch(`${url}/auth/login`)).text()).toContain('action="/auth/login"');

      expect(await verifier.verify(bearer)).toMatchObject({ ok: true, by: 'memory' });
      const device = await listen(`${url}/auth`, { bearer });
      expect(await send('/auth/v1/logout', other, { scope: 'others' })).toMatchObject({ confirmed: true });
      expect(await device.hears('session.ended')).toMatchObject({ by: 'other_device' });
      expect(await verifier.verify(bearer)).toEqual({ ok: false, reason: 'ended' });
      expect((await hello(bearer)).status).toBe(307);
      expect((await fetch(`${url}/nothing`)).status).toBe(404);
    } finally {
      await verifier.close();
    }
  });

  test('SIGTERM stops the program', async () => {
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await exit).toEqual([0, null]);
    expect(output).toBe('');
  });
});
