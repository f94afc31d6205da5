/** The guards, each in front of a real application of its framework, over the wire. */
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import express, { type NextFunction, type Request as Asked, type Response as Answer } from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cookieLogin, opened } from '../../server/test/http/logins.ts';
import { curfew as expressGuard, sessionOf } from '../src/express.ts';
import { curfew as fastifyGuard, sessionOf as sessionOfFastify } from '../src/fastify.ts';
import { curfew as fetchGuard } from '../src/fetch.ts';
import { curfew as honoGuard, type SessionVariables } from '../src/hono.ts';
import type { Verifier } from '../src/index.ts';
import { openStage, type Stage } from './door.ts';

const TRUSTED = 'https://shop.example';
const options = { trustedOrigins: [TRUSTED] };

let stage: Stage;
let verifier: Verifier;
beforeAll(async () => {
  stage = await openStage();
  verifier = await stage.connect();
});
afterAll(() => stage.close());

/** Other test files run in this process, and must find its Request and Response as they were. */
const ALONE = { overrideGlobalObjects: false };

/** Each answers `{hello, named}` to any method at /, refuses at once when stale at /strict, and is for administrators at /admin. */
const clients: Record<string, () => RequestListener | Promise<RequestListener>> = {
  express() {
    const app = express();
    app.all('/', expressGuard(verifier, options), (req, res) => {
      res.json({ hello: sessionOf(req).subject, named: 'session' in req });
    });
    app.all('/strict', expressGuard(verifier, { onStale: 'refuse', cookie: false }), (_req, res) => {
      res.json({});
    });
    app.all('/admin', expressGuard(verifier, { role: 'admin' }), (_req, res) => {
      res.json({});
    });
    return app;
  },
  async fastify() {
    const app = fastify();
    app.all('/', { onRequest: fastifyGuard(verifier, options) }, (request) => ({
      hello: sessionOfFastify(request).subject,
      named: 'session' in request,
    }));
    const strict = fastifyGuard(verifier, { onStale: 'refuse', cookie: false });
    app.all('/strict', { onRequest: strict }, () => ({}));
    app.all('/admin', { onRequest: fastifyGuard(verifier, { role: 'admin' }) }, () => ({}));
    await app.ready();
    return (req, res) => app.routing(req, res);
  },
  hono() {
    const app = new Hono<{ Variables: SessionVariables }>();
    app.all('/', honoGuard(verifier, options), (c) =>
      c.json({ hello: c.get('session').subject, named: true }),
    );
    app.all('/strict', honoGuard(verifier, { onStale: 'refuse', cookie: false }), (c) => c.json({}));
    app.all('/admin', honoGuard(verifier, { role: 'admin' }), (c) => c.json({}));
    const listener = getRequestListener(app.fetch, ALONE);
    return (req, res) => void listener(req, res);
  },
  fetch() {
    const open = fetchGuard(
      verifier,
      options,
    )((_request, session) => Response.json({ hello: session.subject, named: true }));
    const strict = fetchGuard(verifier, { onStale: 'refuse', cookie: false })(() => Response.json({}));
    const admin = fetchGuard(verifier, { role: 'admin' })(() => Response.json({}));
    const byPath: Record<string, typeof open> = { '/': open, '/strict': strict, '/admin': admin };
    const listener = getRequestListener(
      (request) => byPath[new URL(request.url).pathname]?.(request) ?? new Response(null, { status: 404 }),
      ALONE,
    );
    return (req, res) => void listener(req, res);
  },
};

describe.each(Object.keys(clients))('%s', (name) => {
  let server: Server;
  let url: string;
  beforeAll(async () => {
    // Under Express the guard itself writes the answer: Node then takes a body for HEAD as a fault.
    server = createServer({ rejectNonStandardBodyWrites: name === 'express' }, await clients[name]?.());
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => void server.close());

  const ask = (headers: Record<string, string>, method = 'GET', path = '/'): Promise<Response> =>
    fetch(url + path, { method, headers });
  const statusOf = async (...how: Parameters<typeof ask>): Promise<number> => (await ask(...how)).status;

  test('admits a live session, and refuses it after its logout', async () => {
    const { bearer } = await opened(stage.call, 2);
    const answer = await ask({ authorization: `Bearer ${bearer}` });
    expect([answer.status, await answer.json()]).toEqual([200, { hello: '2', named: true }]);
    await stage.call('POST', '/v1/logout', { bearer, body: { scope: 'this' } });
    const refusal = await ask({ authorization: `Bearer ${bearer}` });
    expect(refusal.status).toBe(401);
    expect(refusal.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
    expect(refusal.headers.get('cache-control')).toBe('no-store');
    expect(refusal.headers.get('content-type')).toContain('application/problem+json');
    expect(await refusal.json()).toMatchObject({ status: 401, code: 'not_authenticated' });
  });

  test('admits only the role that a route names', async () => {
    const [admin, user] = [await opened(stage.call, 1), await opened(stage.call, 2)];
    const asks = (bearer: string): Promise<Response> =>
      ask({ authorization: `Bearer ${bearer}` }, 'GET', '/admin');
    expect((await asks(admin.bearer)).status).toBe(200);
    const refusal = await asks(user.bearer);
    expect([refusal.status, await refusal.json()]).toMatchObject([403, { code: 'forbidden' }]);
    await stage.call('POST', '/v1/logout', { bearer: admin.bearer });
    expect((await asks(admin.bearer)).status).toBe(401);
  });

  test('asks for a credential where there is none', async () => {
    const refusal = await ask({});
    expect([refusal.status, refusal.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
    const head = await ask({}, 'HEAD');
    expect([head.status, await head.text()]).toEqual([401, '']);
  });

  test('accepts the cookie from its own and trusted pages', async () => {
    const { cookie } = await cookieLogin(stage.call);
    const own = `theme=dark; curfew_session=${cookie}`;
    expect(await statusOf({ cookie: own })).toBe(200);
    const posts: [number, Record<string, string>][] = [
      [200, { 'sec-fetch-site': 'same-origin', origin: url }],
      [200, { origin: TRUSTED, 'sec-fetch-site': 'cross-site' }],
      [200, { 'sec-fetch-site': 'none' }],
      [403, { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }],
      [403, { 'sec-fetch-site': 'same-site', origin: 'https://sibling.example' }],
      [403, { origin: `${TRUSTED}.evil.example` }],
      [403, { origin: 'null' }],
      [403, {}],
    ];
    for (const [status, headers] of posts)
      expect([headers, await postRaw(url, { cookie: own, ...headers })]).toEqual([headers, status]);
    // A bearer token is put there by a program, never by a browser on its own.
    const { bearer } = await opened(stage.call, 2);
    expect(await postRaw(url, { authorization: `Bearer ${bearer}`, origin: 'https://evil.example' })).toBe(
      200,
    );
    expect(await statusOf({ cookie: own }, 'GET', '/strict')).toBe(401);
  });

  test('treats the handshake of a WebSocket as a change', async () => {
    const { cookie } = await cookieLogin(stage.call);
    // An upgrade in earnest would never get to the application: no server of these takes any.
    const shake = (origin: string): Promise<number> =>
      getRaw(url, ['Cookie', `curfew_session=${cookie}`, 'Origin', origin, 'Upgrade', 'websocket']);
    expect(await shake('https://evil.example')).toBe(403);
    expect(await shake(TRUSTED)).toBe(200);
  });

  test('refuses two credentials', async () => {
    const { bearer } = await opened(stage.call, 2);
    const { cookie } = await cookieLogin(stage.call);
    const good = `Bearer ${bearer}`;
    expect(await getRaw(url, ['Authorization', good])).toBe(200);
    expect(await getRaw(url, ['authorization', good, 'AUTHORIZATION', good])).toBe(401);
    expect(await getRaw(url, ['Authorization', good, 'Authorization', 'Bearer x'])).toBe(401);
    const [a, b] = [`curfew_session=${cookie}`, `curfew_session=${cookie.slice(0, -1)}A`];
    for (const both of [`${a}; ${b}`, `${b}; ${a}`, `${a};${a}`])
      expect(await statusOf({ cookie: both })).toBe(401);
    // A header decides, as at the authority: good or bad.
    expect(await statusOf({ authorization: good, cookie: 'curfew_session=x' })).toBe(200);
    expect(await statusOf({ authorization: 'Bearer x', cookie: a })).toBe(401);
  });

  test('refuses a credential in the wrong place, or of the wrong kind', async () => {
    const { bearer, refresh } = await opened(stage.call, 2);
    const { cookie } = await cookieLogin(stage.call);
    for (const authorization of [
      `Bearer ${cookie}`,
      `Bearer ${refresh}`,
      bearer,
      `Basic ${bearer}`,
      `Bearer\t${bearer}`,
      `Bearer ${bearer} x`,
      `Bearer${bearer}`,
    ])
      expect([authorization, await statusOf({ authorization })]).toEqual([authorization, 401]);
    for (const form of ['bearer', 'BEARER ', 'Bearer  '])
      expect(await statusOf({ authorization: `${form} ${bearer}` })).toBe(200);
    for (const value of [bearer, `${cookie}x`, ''])
      expect(await statusOf({ cookie: `curfew_session=${value}` })).toBe(401);
    expect(await statusOf({ cookie: `xcurfew_session=${cookie}; curfew_session2=${cookie}` })).toBe(401);
  });

  test('when stale, asks on one route and refuses on the other; answers 503 when it cannot tell', async () => {
    const { bearer } = await opened(stage.call, 2);
    const headers = { authorization: `bearer ${bearer}` };
    expect(await statusOf(headers)).toBe(200);
    stage.door.onUpgrade = (socket) => {
      socket.destroy();
      return true;
    };
    stage.door.cut();
    try {
      await expect.poll(() => verifier.freshness.state).toBe('stale');
      expect(await statusOf(headers)).toBe(200);
      stage.door.onQuestion = (_req, res) => void res.writeHead(500).end();
      for (const path of ['/', '/strict']) {
        const answer = await ask(headers, 'GET', path);
        expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
        expect(await answer.json()).toMatchObject({ status: 503, code: 'unavailable' });
      }
      stage.door.onQuestion = null;
      expect(await statusOf(headers, 'GET', '/strict')).toBe(503);
    } finally {
      stage.door.onQuestion = null;
      stage.door.onUpgrade = null;
      await expect.poll(() => verifier.freshness.state).toBe('fresh');
    }
  });
});

test('leaves another property named session alone', async () => {
  const app = express();
  const theirs: express.RequestHandler = (req, _res, next) => {
    Object.assign(req, { session: 'theirs' });
    next();
  };
  app.get('/', theirs, expressGuard(verifier, options), (req, res) => {
    res.json({ session: (req as unknown as { session: unknown }).session, subject: sessionOf(req).subject });
  });
  const server = createServer(app);
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  try {
    const { bearer } = await opened(stage.call, 2);
    const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, {
      headers: { authorization: `Bearer ${bearer}` },
    });
    expect(await answer.json()).toEqual({ session: 'theirs', subject: '2' });
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('sessionOf throws for a request that no guard admitted', () => {
  expect(() => sessionOf({ session: { subject: '1' } })).toThrow('curfew(verifier)');
});

// Line by line: fetch() sets Sec-Fetch-* and Origin as it likes, and both it and node:http join headers of one name.
const postRaw = (url: string, headers: Record<string, string>): Promise<number> =>
  raw(url, 'POST', ['Content-Length', '0', ...Object.entries(headers).flat()]);
const getRaw = (url: string, headers: string[]): Promise<number> => raw(url, 'GET', headers);

/** Sends a request as it is written and answers the status. */
function raw(url: string, method: string, headers: string[]): Promise<number> {
  const { hostname, port, host } = new URL(url);
  const lines = [`${method} / HTTP/1.1`, `Host: ${host}`, 'Connection: close'];
  for (let i = 0; i < headers.length; i += 2) lines.push(`${headers[i]}: ${headers[i + 1]}`);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(`${lines.join('\r\n')}\r\n\r\n`));
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.once('error', reject);
    socket.once('close', () => resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1])));
  });
}

/** A live credential whose session has just ended. */
async function over(): Promise<Record<string, string>> {
  const { bearer } = await opened(stage.call, 2);
  await stage.call('POST', '/v1/logout', { bearer, body: { scope: 'this' } });
  return { authorization: `Bearer ${bearer}` };
}

async function served(listener: RequestListener, work: (url: string) => Promise<void>): Promise<void> {
  const server = createServer(listener);
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  try {
    await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.close();
  }
}

test('fastify: the route does not run after a refusal that an onSend hook holds up', async () => {
  const app = fastify();
  let ran = 0;
  // As a plugin does that saves something before each answer.
  app.addHook('onSend', () => new Promise<void>((done) => setTimeout(done, 50)));
  app.all('/', { onRequest: fastifyGuard(verifier, options) }, () => ({ ran: ++ran }));
  await app.ready();
  await served(
    (req, res) => app.routing(req, res),
    async (url) => {
      const refusal = await fetch(url, { headers: await over() });
      expect([refusal.status, ran]).toEqual([401, 0]);
      const { bearer } = await opened(stage.call, 2);
      const answer = await fetch(url, { headers: { authorization: `Bearer ${bearer}` } });
      expect([answer.status, await answer.json()]).toEqual([200, { ran: 1 }]);
    },
  );
});

test('express: a guard does nothing after another handler has answered', async () => {
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  process.on('unhandledRejection', note);
  const app = express();
  app.use((_req, res, next) => {
    next();
    // A time limit that strikes while the guard asks.
    res.status(503).end('too late');
  });
  let ran = 0;
  app.all('/', expressGuard(verifier, options), () => void ran++);
  // An error would make Express break the connection.
  app.use((error: unknown, _req: Asked, _res: Answer, next: NextFunction) => {
    note(error);
    next(error);
  });
  try {
    await served(app, async (url) => {
      const answer = await fetch(url, { headers: await over() });
      expect([answer.status, await answer.text()]).toEqual([503, 'too late']);
      // Unhandled rejections are reported after their turn of the event loop.
      await new Promise((done) => setTimeout(done, 100));
      expect([unhandled, ran]).toEqual([[], 0]);
    });
  } finally {
    process.off('unhandledRejection', note);
  }
});
