/** A refusal leaves a line in the server's log: who, from where, and never the text of the address field. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import {
  openAuthority,
  PASSWORD,
  recordingLog,
  routeBackend,
  SERVICE_KEY,
  type TestAuthority,
} from '../support.ts';
import { cookieLogin, opened, USER } from './logins.ts';

const { log, lines } = recordingLog();
let on: TestAuthority;
let server: Server;
let url: string;
beforeAll(async () => {
  on = await openAuthority(routeBackend(), { CURFEW_LOGIN_FAILURES_PAIR: '3' }, { log });
  server = createServer(on.authority.listener).on('upgrade', on.authority.upgrade);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  on.authority.hangUp();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await on.close();
});

const logged = (message: string): Record<string, unknown>[] =>
  lines.map((line) => JSON.parse(line) as Record<string, unknown>).filter((line) => line['msg'] === message);

test('failed and limited logins are recorded', async () => {
  const body = { email: USER, password: 'wrong' };
  for (let i = 0; i < 4; i++) await on.call('POST', '/v1/login', { body, address: '192.0.2.9' });
  const typed = 'my-very-secret@password.example';
  await on.call('POST', '/v1/login', { body: { email: typed, password: PASSWORD }, address: '192.0.2.9' });
  expect(logged('a login was refused: wrong credentials')).toMatchObject([
    { user_id: 2, ip_address: '192.0.2.9' },
    { user_id: 2 },
    { user_id: 2 },
    { user_id: null, ip_address: '192.0.2.9' },
  ]);
  expect(logged('a login was refused: too many failed logins')).toMatchObject([{ ip_address: '192.0.2.9' }]);
  expect(lines.join('')).not.toContain('my-very-secret');
});

test('refusals of a live session are recorded', async () => {
  const { cookie } = await cookieLogin(on.call);
  expect((await on.call('POST', '/v1/logout', { cookie })).status).toBe(403);
  const { bearer } = await opened(on.call, 2);
  expect((await on.call('GET', '/v1/admin/users', { bearer })).status).toBe(403);
  expect(logged('a request of a live session was refused')).toMatchObject([
    { user_id: 2, code: 'csrf_failed' },
    { user_id: 2, code: 'forbidden' },
  ]);
});

test('each upgrade is one line, accepted or not', async () => {
  const open = (path: string, headers: Record<string, string>): Promise<void> =>
    new Promise((resolve) => {
      const ws = new WebSocket(url + path, { headers });
      ws.on('error', () => undefined);
      ws.on('open', () => ws.terminate());
      ws.on('close', () => resolve());
    });
  await open('/v1/feed', { authorization: `Bearer ${SERVICE_KEY}` });
  await open('/v1/feed', { authorization: 'Bearer wrong' });
  await open('/v1/notices', {});
  expect(logged('request').filter((line) => line['upgrade'] !== undefined)).toMatchObject([
    { path: '/v1/feed', status: 101, ip_address: '127.0.0.1' },
    { path: '/v1/feed', status: 401 },
    { path: '/v1/notices', status: 400 },
  ]);
});
