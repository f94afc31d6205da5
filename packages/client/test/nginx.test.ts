/** The guide's nginx for an authority under a path, in front of a real authority. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { freePort } from '../../server/test/services/ports.ts';
import { requireService } from '../../server/test/services/require.ts';
import { PASSWORD, SERVICE_KEY } from '../../server/test/support.ts';
import { createClient } from '../src/index.ts';
import { openStage, type Stage } from './stage.ts';

function findNginx(): string | undefined {
  let found: string | undefined;
  try {
    execFileSync('nginx', ['-v'], { stdio: 'ignore' });
    found = 'nginx';
  } catch {
    // Said below.
  }
  return requireService('nginx', found, 'install nginx; the guide to proxies needs it.');
}

const program = findNginx();

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true));
    socket.once('error', () => resolve(false)).once('connect', () => socket.destroy());
  });

describe.skipIf(program === undefined)('behind the nginx of the guide, under a path', () => {
  const directory = mkdtempSync(join(tmpdir(), 'curfew-nginx-'));
  let stage: Stage;
  let proxy: ChildProcess;
  let authority: string;
  beforeAll(async () => {
    const port = await freePort();
    authority = `http://localhost:${port}/auth`;
    stage = await openStage({ CURFEW_ISSUER: authority });
    const guide = readFileSync(
      join(import.meta.dirname, '../../../docs/guides/deploy-behind-a-proxy.md'),
      'utf8',
    );
    const [, locations = ''] = /## Under a path[\s\S]*?```nginx\n([\s\S]*?)```/.exec(guide) ?? [];
    expect(locations).toContain('http://127.0.0.1:8000');
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (name) => `${name}_temp_path ${directory}/${name};`,
    );
    writeFileSync(
      join(directory, 'nginx.conf'),
      `daemon off; master_process off; pid ${directory}/pid; error_log ${directory}/error.log;
events {}
http {
  access_log off; ${temporary.join(' ')}
  server {
    listen 127.0.0.1:${port};
    ${locations.replaceAll('http://127.0.0.1:8000', stage.origin.replace('localhost', '127.0.0.1'))}
  }
}`,
    );
    proxy = spawn(program as string, [
      '-p',
      directory,
      '-e',
      join(directory, 'error.log'),
      '-c',
      'nginx.conf',
    ]);
    await vi.waitUntil(() => answers(port));
  });
  afterAll(async () => {
    proxy?.kill();
    await stage?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  test('login, request, WebSocket and cookie login work below the path', async () => {
    const client = createClient({ authority, notices: true });
    const heard = new Promise((resolve) => client.onLoggedOut(resolve));
    const { id } = await client.login({ email: 'test@example.com', password: PASSWORD });
    expect((await client.session())?.id).toBe(id);
    expect((await client.fetch('/v1/sessions')).status).toBe(200);
    await expect.poll(() => stage.sockets()).toBe(1);
    await stage.on.call('POST', '/v1/admin/logout', {
      bearer: SERVICE_KEY,
      body: { scope: 'sessions', sessions: [id] },
    });
    expect(await heard).toMatchObject({ where: 'elsewhere', sessionId: id });
    client.close();
    expect(stage.requests.toSorted()).toEqual([
      'GET /v1/session',
      'GET /v1/sessions',
      'POST /v1/login',
      'UPGRADE /v1/notices',
    ]);

    const { headers } = await fetch(`${authority}/v1/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: new URL(authority).origin },
      body: JSON.stringify({ email: 'test@example.com', password: PASSWORD, transport: 'cookie' }),
    });
    expect(headers.get('set-cookie')).toMatch(/^curfew_session=[^;]+; Path=\/; HttpOnly; SameSite=Lax$/);
  });
});
