/** An authority under a path of another program, over the wire. */
import { get, type IncomingMessage } from 'node:http';
import express from 'express';
import { createVerifier } from '@curfew/verifier';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createAuthority } from '../../src/index.ts';
import { type Door, listen, openDoor } from './notices-door.ts';
import {
  callerOf,
  cookieOf,
  openAuthority,
  PASSWORD,
  routeBackend,
  SERVICE_KEY,
  type TestAuthority,
} from '../support.ts';

const BASE = '/auth';
const USER = { email: 'test@example.com', password: PASSWORD };

let on: TestAuthority;
let door: Door;
beforeAll(async () => {
  on = await openAuthority(routeBackend(), { CURFEW_BASE_PATH: BASE });
  door = await openDoor(on.authority);
});
afterAll(async () => {
  on.authority.hangUp();
  door.close();
  await on.close();
});

const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(door.url + path, { redirect: 'manual', ...init });
const send = (path: string, body: object, headers: Record<string, string> = {}): Promise<Response> =>
  ask(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
const bearerOf = async (): Promise<string> => {
  const answer = await send(`${BASE}/v1/login`, USER);
  return ((await answer.json()) as { access_token: string }).access_token;
};

test('every family answers below the base path, and nothing answers outside', async () => {
  for (const [path, body] of [
    ['/v1/login', USER],
    ['/auth/login', USER],
    ['/api/auth/login', { username: 'admin@example.com', password: PASSWORD }],
    ['/api/v1/auth/login', USER],
  ] as const) {
    expect([path, (await send(BASE + path, body)).status]).toEqual([path, 200]);
    // `/auth/login` is a path of contract 001, but outside it is the login page of the authority.
    if (path !== '/auth/login') expect([path, (await send(path, body)).status]).toEqual([path, 404]);
  }
  for (const path of ['/healthz', '/.well-known/jwks.json', '/openapi.json'])
    expect([(await ask(BASE + path)).status, (await ask(path)).status]).toEqual([200, 404]);
  for (const path of ['/', '/authors/v1/login', '/AUTH/healthz', '//auth/healthz'])
    expect([path, (await ask(path)).status]).toEqual([path, 404]);
});

test('a check is answered below the base path, from memory too, and a path that a proxy appends is not resolved', async () => {
  const authorization = `Bearer ${await bearerOf()}`;
  for (let i = 0; i < 3; i++)
    expect((await ask(`${BASE}/v1/check`, { headers: { authorization } })).status).toBe(200);
  const appended = await new Promise<number | undefined>((done) => {
    // Unlike fetch, this client does not resolve the path itself.
    const path = `${BASE}/v1/check/../../healthz`;
    get({ port: new URL(door.url).port, path, headers: { authorization: 'Bearer no' } }, (answer) =>
      done(answer.resume().statusCode),
    );
  });
  expect(appended).toBe(401);
});

test('every address in a page is below the base path, and leads somewhere', async () => {
  const start = await ask(`${BASE}/`);
  expect([start.status, start.headers.get('location')]).toEqual([303, `${BASE}/devices`]);
  const devices = await ask(`${BASE}/devices`);
  expect(devices.headers.get('location')).toBe(`${BASE}/login?next=${encodeURIComponent(`${BASE}/devices`)}`);
  for (const page of ['/login', '/logout', '/docs']) {
    const text = await (await ask(BASE + page)).text();
    const addresses = [...text.matchAll(/(?:href|src|action)="([^"#?][^"]*)"/g)].map(
      ([, address = '']) => address,
    );
    expect(addresses.length).toBeGreaterThan(0);
    for (const address of addresses.filter((one) => !one.startsWith('data:'))) {
      expect(address).toMatch(/^\/auth\//);
      expect([address, (await ask(address)).status]).toEqual([
        address,
        expect.toSatisfy((status) => status < 400),
      ]);
    }
  }
  const description = (await (await ask(`${BASE}/openapi.json`)).json()) as { servers: { url: string }[] };
  expect(description.servers[0]?.url).toBe(BASE);
  expect(await (await ask(`${BASE}/docs/start.js`)).text()).toContain("'/auth/openapi.json'");
});

test('the form of the login page sets a cookie for the whole origin, and returns only to pages of this origin', async () => {
  const logIn = (next: string): Promise<Response> =>
    ask(`${BASE}/login`, {
      method: 'POST',
      headers: { origin: 'http://localhost:8000', 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ ...USER, next }),
    });
  for (const [next, to] of [
    ['/orders', '/orders'],
    [`${BASE}/admin`, `${BASE}/admin`],
    [`${BASE}/login`, `${BASE}/devices`],
    ['//evil.example', `${BASE}/devices`],
    ['/login', '/login'],
  ] as const) {
    const answer = await logIn(next);
    expect([next, answer.status, answer.headers.get('location')]).toEqual([next, 303, to]);
    expect(answer.headers.getSetCookie()[0]).toMatch(
      /^curfew_session=[^;]+; Path=\/; HttpOnly; SameSite=Lax$/,
    );
  }
});

test('a verifier follows, and a device hears the notice of its logout', async () => {
  const verifier = createVerifier({
    authority: door.url + BASE,
    serviceKey: SERVICE_KEY,
    audience: `http://localhost:8000${BASE}`,
  });
  onTestFinished(() => verifier.close());
  expect(await verifier.ready()).toBe(true);
  const call = callerOf((request) => fetch(request), door.url);
  const login = await call('POST', `${BASE}/v1/login`, { body: { ...USER, transport: 'cookie' } });
  const device = await listen(door.url + BASE, { cookie: cookieOf(login) });
  expect(await verifier.verify(cookieOf(login))).toMatchObject({ ok: true });
  const bearer = await bearerOf();
  const { json } = await call('POST', `${BASE}/v1/logout`, { bearer, body: { scope: 'all' } });
  expect(json).toMatchObject({ confirmed: true });
  await device.hears('session.ended');
  expect(await verifier.verify(cookieOf(login))).toMatchObject({ ok: false, reason: 'ended' });
});

describe('in a host', () => {
  const handles = (path: string): boolean =>
    on.authority.handles({
      httpVersion: '1.1',
      url: path,
      headers: {},
      rawHeaders: [],
    } as unknown as IncomingMessage);

  test('handles() says which requests are for the authority', async () => {
    for (const path of [BASE, `${BASE}/`, `${BASE}/v1/login`, `${BASE}/nothing`, `${BASE}?x=1`])
      expect([path, handles(path), on.authority.handles(new Request(`https://app.example${path}`))]).toEqual([
        path,
        true,
        true,
      ]);
    for (const path of ['/', '/v1/login', '/authors', '/x/auth/v1/login'])
      expect([path, handles(path), on.authority.handles(new Request(`https://app.example${path}`))]).toEqual([
        path,
        false,
        false,
      ]);
    expect((await on.authority.fetch(new Request('https://app.example/v1/login'))).status).toBe(404);
  });

  test('without a base path handles() knows the own addresses, and leaves the front page to the host', async () => {
    const plain = await openAuthority(routeBackend());
    onTestFinished(() => plain.close());
    const is = (path: string): boolean => plain.authority.handles(new Request(`https://app.example${path}`));
    for (const path of [
      '/v1/login',
      '/v1/sessions/1',
      '/auth/login',
      '/admin/users/2',
      '/v1/check/x/y',
      '/pages/a.js',
      '/v1/feed',
    ])
      expect([path, is(path)]).toEqual([path, true]);
    for (const path of ['/', '/v1', '/orders', '/v1/sessions/1/2', '/v2/login'])
      expect([path, is(path)]).toEqual([path, false]);
  });

  test('Express mounts the listener by its path, which it cuts off, or without one', async () => {
    for (const listener of [
      express().use(BASE, on.authority.listener),
      express().use(on.authority.listener),
    ]) {
      const host = await openDoor({ listener, upgrade: on.authority.upgrade });
      onTestFinished(() => host.close());
      expect((await fetch(`${host.url}${BASE}/healthz`)).status).toBe(200);
      expect((await fetch(`${host.url}${BASE}/auth/profile`)).status).toBe(401);
    }
  });
});

test('an issuer without the path is refused, by the name that the program used', async () => {
  await expect(createAuthority({ basePath: BASE, issuer: 'https://app.example' })).rejects.toThrow(
    'issuer: has no path, but CURFEW_BASE_PATH is /auth. Set it to https://app.example/auth.',
  );
});
