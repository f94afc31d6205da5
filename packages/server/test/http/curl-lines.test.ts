/** The command lines of the four contracts' documents, as printed there: only host and port are changed. */
import { execFile, execFileSync } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openAuthority, routeBackend, type TestAuthority } from '../support.ts';

const ENVELOPE_LOGIN = `curl -X POST http://localhost:8000/auth/login \\
  -H "Content-Type: application/json" \\
  -d '{"email": "test@example.com", "password": "password123"}'`;
const ENVELOPE_LOGOUT = `curl -X POST http://localhost:8000/auth/logout \\
  -H "Authorization: Bearer <your_token>"`;
const ENVELOPE_PROFILE = `curl -X GET http://localhost:8000/auth/profile \\
  -H "Authorization: Bearer <your_token>"`;
const SESSION_ID_LOGIN = `curl -X POST http://localhost:8080/api/auth/login \\
  -H "Content-Type: application/json" \\
  -d '{
    "username": "admin@example.com",
    "password": "password123"
  }'`;
const SESSION_ID_USER = `curl -X GET http://localhost:8080/api/users/1 \\
  -H "Authorization: Bearer sess_abc123def456ghi789"`;
const SESSION_ID_LOGOUT = `curl -X POST "http://localhost:8080/api/auth/logout?userId=1&sessionId=sess_abc123def456ghi789"`;
const TOKEN_LOGOUT = `curl -X POST "https://api.example.com/api/v1/auth/logout" \\
  -H "Authorization: Bearer 1|abc123def456..."`;

/** The words that a shell makes of a line. */
function words(line: string): string[] {
  const joined = line.replaceAll('\\\n', ' ');
  return [...joined.matchAll(/'([^']*)'|"([^"]*)"|([^\s'"]+)/g)].map(
    ([, single, double, plain]) => single ?? double ?? plain ?? '',
  );
}

function hasCurl(): boolean {
  try {
    execFileSync('curl', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe('as printed', () => {
  let on: TestAuthority;
  let server: Server;
  let base: string;
  const curl = hasCurl();
  beforeAll(async () => {
    on = await openAuthority(routeBackend());
    server = createServer(on.authority.listener);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await on.close();
  });

  /** Runs the line with curl, or without one sends the same request. */
  async function run(line: string): Promise<{ status: number; json: Record<string, unknown> }> {
    const here = line.replace(/https?:\/\/(localhost:\d+|api\.example\.com)/, base);
    expect(here).not.toBe(line);
    const args = words(here).slice(1);
    if (curl) {
      const mark = '\nstatus ';
      const { stdout } = await promisify(execFile)('curl', ['-s', '-w', `${mark}%{http_code}`, ...args]);
      const at = stdout.lastIndexOf(mark);
      return { status: Number(stdout.slice(at + mark.length)), json: JSON.parse(stdout.slice(0, at)) };
    }
    const after = (flag: string): string | undefined =>
      args.includes(flag) ? args[args.indexOf(flag) + 1] : undefined;
    const [name = '', value = ''] = (after('-H') ?? 'accept: */*').split(': ');
    const url = args.find((word) => word.startsWith('http')) ?? '';
    const response = await fetch(url, {
      method: after('-X') ?? 'GET',
      headers: { [name]: value },
      body: after('-d') ?? null,
    });
    return { status: response.status, json: (await response.json()) as Record<string, unknown> };
  }

  test('contract 001: login, logout, and then 401 for the profile', async () => {
    const login = await run(ENVELOPE_LOGIN);
    expect(login).toMatchObject({ status: 200, json: { success: true, message: 'Login successful' } });
    const token = (login.json['data'] as { access_token: string }).access_token;
    const withToken = (line: string): string => line.replace('<your_token>', token);
    expect((await run(withToken(ENVELOPE_PROFILE))).json).toMatchObject({
      data: { email: 'test@example.com' },
    });
    expect(await run(withToken(ENVELOPE_LOGOUT))).toEqual({
      status: 200,
      json: { success: true, message: 'Logout successful', data: null, code: null, field: null },
    });
    expect((await run(withToken(ENVELOPE_PROFILE))).status).toBe(401);
  });

  test('contract 001 with the placeholder: its 401', async () => {
    for (const line of [ENVELOPE_LOGOUT, ENVELOPE_PROFILE])
      expect(await run(line)).toMatchObject({
        status: 401,
        json: { success: false, code: 'NOT_AUTHENTICATED' },
      });
  });

  test('contract 002: login, user, logout', async () => {
    const login = await run(SESSION_ID_LOGIN);
    expect(login).toMatchObject({ status: 200, json: { success: true, data: { userId: 1 } } });
    const token = (login.json['data'] as { sessionToken: string }).sessionToken;
    const withToken = (line: string): string => line.replace('sess_abc123def456ghi789', token);
    expect(await run(withToken(SESSION_ID_USER))).toMatchObject({ status: 200, json: { id: 1 } });
    expect(await run(withToken(SESSION_ID_LOGOUT))).toEqual({
      status: 200,
      json: { success: true, message: 'Logged out successfully' },
    });
    expect((await run(withToken(SESSION_ID_USER))).status).toBe(401);
  });

  test('contract 002 with the example session: 404', async () => {
    expect((await run(SESSION_ID_USER)).status).toBe(401);
    expect(await run(SESSION_ID_LOGOUT)).toMatchObject({
      status: 404,
      json: { error: 'Session not found or already expired', path: '/api/auth/logout' },
    });
  });

  test('contract 003: logout with the example token and with a real one', async () => {
    expect(await run(TOKEN_LOGOUT)).toEqual({ status: 401, json: { message: 'Unauthenticated.' } });
    const login = await run(ENVELOPE_LOGIN.replace('/auth/login', '/api/v1/auth/login'));
    const token = String(login.json['access_token']);
    expect(token).toMatch(/^\d+\|/);
    expect(await run(TOKEN_LOGOUT.replace('1|abc123def456...', token))).toEqual({
      status: 200,
      json: { message: 'Successfully logged out' },
    });
  });
});
