/** Requests as proxies, balancers and old clients write them: hosts, targets, upgrades, appended paths. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Caller, PASSWORD, SERVICE_KEY, type TestAuthority } from '../support.ts';
import { selfSigned } from './certificate.ts';
import { type Listening, openListening } from './listening.ts';
import { expectSecurityHeaders } from './described.ts';
import { cookieLogin, USER, v1Login } from './logins.ts';
import { handshake } from './notices-door.ts';
import { askOnce, converse, quickChecks, WEBSOCKET } from './conversation.ts';

let listening: Listening;
let on: TestAuthority;
let port: number;
let call: Caller;
beforeAll(async () => {
  listening = await openListening();
  ({ on, port, call } = listening);
});
afterAll(() => listening.close());

const LOGIN = JSON.stringify({ email: USER, password: PASSWORD });
const FOR_LOGIN = `Content-Type: application/json\r\nContent-Length: ${LOGIN.length}\r\n`;

describe('the host of a request', () => {
  test('may be missing in HTTP/1.0, as in health checks of balancers', async () => {
    expect((await askOnce(port, 'GET /healthz HTTP/1.0\r\n\r\n')).status).toBe(200);
    expect((await askOnce(port, 'GET /readyz HTTP/1.0\r\n\r\n')).status).toBe(200);
    expect((await askOnce(port, 'HEAD /healthz HTTP/1.0\r\n\r\n')).status).toBe(200);
    const { status, text } = await askOnce(port, `POST /v1/login HTTP/1.0\r\n${FOR_LOGIN}\r\n${LOGIN}`);
    expect([status, JSON.parse(text).token_type]).toEqual([200, 'Bearer']);
  });

  test('default health checks of balancers are answered', async () => {
    for (const target of ['/', '*'])
      for (const version of ['1.0', '1.1']) {
        const { status, headers } = await askOnce(
          port,
          `OPTIONS ${target} HTTP/${version}\r\nHost: x\r\n\r\n`,
        );
        expect([target, version, status, headers.get('allow')]).toEqual([
          target,
          version,
          204,
          'GET, HEAD, OPTIONS',
        ]);
      }
  });

  test.each([
    '',
    'name:',
    'name',
    'NAME:80',
    'name:8000',
    'a_b',
    '127.1',
    '0x7f.1',
    '[::1]',
    '[::1]:8000',
    'xn--a',
    'a%20b',
    '1',
    ':80',
    'name:99999',
  ])('Host: %s is accepted', async (host) => {
    const { bearer } = await v1Login(call);
    const { status, headers } = await askOnce(
      port,
      `GET /v1/session HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${bearer}\r\n\r\n`,
    );
    expect(status).toBe(200);
    expectSecurityHeaders(headers, '/v1/session');
  });

  test.each([
    ['none', ''],
    ['two', 'Host: a\r\nHost: a\r\n'],
    ['a space', 'Host: a b\r\n'],
    ['a path', 'Host: a/b\r\n'],
    ['a user', 'Host: me@a\r\n'],
    ['a port that is none', 'Host: a:b\r\n'],
  ])('in HTTP/1.1, %s: 400 (RFC 9112, section 3.2)', async (_name, lines) => {
    expect((await askOnce(port, `GET /healthz HTTP/1.1\r\n${lines}\r\n`)).status).toBe(400);
    expect((await askOnce(port, `GET /v1/check HTTP/1.1\r\n${lines}\r\n`)).status).toBe(400);
  });

  test('decides nothing: neither the issuer, nor an address in an answer, nor the origin of a page', async () => {
    const { cookie, csrf } = await cookieLogin(call);
    for (const line of [
      'Host: evil.test',
      'Host: evil.test\r\nX-Forwarded-Host: evil.test\r\nForwarded: host=evil.test',
    ]) {
      const login = await askOnce(port, `POST /v1/login HTTP/1.1\r\n${line}\r\n${FOR_LOGIN}\r\n${LOGIN}`);
      const claims = Buffer.from(JSON.parse(login.text).access_token.split('.')[1], 'base64url').toString();
      expect(JSON.parse(claims).iss).toBe('http://localhost:8000');
      for (const path of ['/', '/devices', '/login?next=/devices', '/openapi.json', '/docs']) {
        const { headers, text } = await askOnce(
          port,
          `GET ${path} HTTP/1.1\r\n${line}\r\nConnection: close\r\n\r\n`,
        );
        expect([path, `${JSON.stringify([...headers])}${text}`.includes('evil.test')]).toEqual([path, false]);
      }
      const foreign = `Origin: http://evil.test\r\nCookie: curfew_session=${cookie}\r\nX-CSRF-Token: ${csrf}\r\n`;
      const logout = await askOnce(
        port,
        `POST /v1/logout HTTP/1.1\r\n${line}\r\n${foreign}Content-Length: 0\r\n\r\n`,
      );
      expect(logout.status).toBe(403);
    }
    expect((await call('GET', '/v1/check', { cookie })).status).toBe(200);
  });
});

describe('the target of a request', () => {
  test('may be an absolute URL, whose host counts', async () => {
    const { bearer } = await v1Login(call);
    const authorization = `Authorization: Bearer ${bearer}\r\n`;
    for (const target of [
      'http://sessions.example/v1/session',
      'HTTP://[::1]:1/v1/session?x=1',
      'https://a:/v1/session',
    ])
      expect([
        target,
        (await askOnce(port, `GET ${target} HTTP/1.1\r\nHost: b\r\n${authorization}\r\n`)).status,
      ]).toEqual([target, 200]);
    const before = await quickChecks(call);
    expect(
      (await askOnce(port, `GET http://a/v1/check HTTP/1.1\r\nHost: b\r\n${authorization}\r\n`)).status,
    ).toBe(200);
    expect((await quickChecks(call)) - before).toBe(1);
    expect((await askOnce(port, 'OPTIONS http://a HTTP/1.1\r\nHost: b\r\n\r\n')).status).toBe(204);
    expect((await askOnce(port, 'GET http://me@a/healthz HTTP/1.1\r\nHost: b\r\n\r\n')).status).toBe(400);
  });

  test('may be an absolute URL where a WebSocket is asked for', async () => {
    const { bearer } = await v1Login(call);
    const { ask, socket } = converse(connect(port, '127.0.0.1'));
    const { status } = await ask(
      `GET http://sessions.example/v1/notices HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer ${bearer}\r\nSec-WebSocket-Protocol: curfew.notices.v1\r\n${WEBSOCKET}\r\n`,
    );
    expect(status).toBe(101);
    socket.destroy();
  });

  test('a page’s WebSocket is judged by the target’s host only', async () => {
    const { cookie } = await cookieLogin(call);
    const from = async (host: string, origin: string): Promise<number> => {
      const { ask, socket } = converse(connect(port, '127.0.0.1'));
      const { status } = await ask(
        `GET http://a.example/v1/notices HTTP/1.1\r\nHost: ${host}\r\nOrigin: ${origin}\r\nCookie: curfew_session=${cookie}\r\nSec-WebSocket-Protocol: curfew.notices.v1\r\n${WEBSOCKET}\r\n`,
      );
      socket.destroy();
      return status;
    };
    expect(await from('a.example', 'http://a.example')).toBe(101);
    expect(await from('evil.test', 'http://a.example')).toBe(101);
    expect(await from('evil.test', 'http://evil.test')).toBe(403);
  });
});

const OFFERS = {
  websocket: WEBSOCKET,
  h2c: 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n',
  'anything, with more options':
    'Connection: keep-alive, upgrade, x-one\r\nUpgrade: foo/2, bar\r\nX-One: 1\r\n',
  'a WebSocket, by another method': 'connection: UPGRADE\r\nupgrade: WebSocket\r\n',
};

describe.each(Object.entries(OFFERS))(
  'Upgrade is ignored where Curfew has no WebSocket: %s',
  (name, offer) => {
    const more = `Host: x\r\n${offer}`;

    test('each request is answered as an ordinary one, on the same connection', async () => {
      const { bearer } = await v1Login(call);
      const { ask, socket } = converse(connect(port, '127.0.0.1'));
      for (let round = 0; round < 3; round++) {
        const { status, headers, text } = await ask(
          `GET /v1/check HTTP/1.1\r\n${more}Authorization: Bearer ${bearer}\r\n\r\n`,
        );
        expect([status, headers.get('curfew-subject'), text]).toEqual([200, '2', '']);
        expect((await ask(`GET /v1/check HTTP/1.1\r\n${more}\r\n`)).status).toBe(401);
        expect((await ask(`GET /nothing HTTP/1.1\r\n${more}\r\n`)).status).toBe(404);
      }
      expect(listening.server.listenerCount('upgrade')).toBe(1);
      socket.destroy();
    });

    test('a body is read, with a length and in chunks, at once and in pieces', async () => {
      const { ask, socket } = converse(connect(port, '127.0.0.1'));
      const head = `POST /v1/login HTTP/1.1\r\n${more}Content-Type: application/json\r\n`;
      const length = `${head}Content-Length: ${LOGIN.length}\r\n\r\n`;
      const chunked = `${head}Transfer-Encoding: chunked\r\n\r\n`;
      const chunks = `5\r\n${LOGIN.slice(0, 5)}\r\n${(LOGIN.length - 5).toString(16)}\r\n${LOGIN.slice(5)}\r\n0\r\n\r\n`;
      for (const text of [`${length}${LOGIN}`, `${chunked}${chunks}`]) {
        const { status, text: body } = await ask(text);
        expect([status, JSON.parse(body).token_type]).toEqual([200, 'Bearer']);
      }
      socket.write(length);
      socket.write(LOGIN.slice(0, 10));
      // Answered only when the server has read everything before it.
      expect((await askOnce(port, 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')).status).toBe(200);
      expect((await ask(LOGIN.slice(10))).status).toBe(200);
      const after = await ask(`GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      expect(after.status).toBe(200);
      if (!socket.closed) await once(socket, 'close');
    });

    test('the next request on the connection is not taken for a body', async () => {
      const { ask, socket } = converse(connect(port, '127.0.0.1'));
      const first = await ask(`GET /healthz HTTP/1.1\r\n${more}\r\nGET /nothing HTTP/1.1\r\n${more}\r\n`);
      expect([first.status, (await ask('')).status]).toEqual([200, 404]);
      socket.destroy();
    });

    test('a connection that asks to be closed is closed', async () => {
      const { ask, socket } = converse(connect(port, '127.0.0.1'));
      const closing = more.replace(/connection: /i, 'Connection: close, ');
      expect((await ask(`GET /healthz HTTP/1.1\r\n${closing}\r\n`)).headers.get('connection')).toBe('close');
      if (!socket.closed) await once(socket, 'close');
    });

    test.runIf(name !== 'websocket')(
      'at a WebSocket’s address it is answered as an ordinary request',
      async () => {
        const method = name.endsWith('method') ? 'POST' : 'GET';
        const expected = method === 'POST' ? 405 : 426;
        for (const [path, credential] of [
          ['/v1/feed', SERVICE_KEY],
          ['/v1/notices', (await v1Login(call)).bearer],
        ])
          expect(
            (
              await askOnce(
                port,
                `${method} ${path} HTTP/1.1\r\n${more}Authorization: Bearer ${credential}\r\n\r\n`,
              )
            ).status,
          ).toBe(expected);
      },
    );
  },
);

test('a WebSocket is not opened in HTTP/1.0', async () => {
  const { status } = await askOnce(
    port,
    `GET /v1/feed HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer ${SERVICE_KEY}\r\n${WEBSOCKET}\r\n`,
  );
  expect(status).toBe(426);
});

test('over TLS too a request that offers an upgrade is answered as an ordinary one', async () => {
  const secure = createTlsServer(selfSigned('localhost'), on.authority.listener);
  secure.on('upgrade', on.authority.upgrade);
  secure.listen(0, '127.0.0.1');
  await once(secure, 'listening');
  const { port: securePort } = secure.address() as AddressInfo;
  const { ask, socket } = converse(
    connectTls({ port: securePort, host: '127.0.0.1', rejectUnauthorized: false }),
  );
  for (let round = 0; round < 2; round++) {
    const { status } = await ask(
      `POST /v1/login HTTP/1.1\r\nHost: x\r\n${WEBSOCKET}${FOR_LOGIN}\r\n${LOGIN}`,
    );
    expect(status).toBe(200);
  }
  socket.destroy();
  secure.close();
});

test('a program with a server of its own gets its own upgrades back', async () => {
  const seen: string[] = [];
  const own = createServer((req, res) => {
    if (req.url?.startsWith('/v1/')) return on.authority.listener(req, res);
    seen.push(`${req.method} ${req.url} ${req.headers.upgrade ?? 'no upgrade'}`);
    res.setHeader('content-length', req.headers['content-length'] ?? 0);
    return void req.pipe(res);
  });
  own.on('upgrade', on.authority.upgrade);
  own.listen(0, '127.0.0.1');
  await once(own, 'listening');
  const { port: ownPort } = own.address() as AddressInfo;
  const { ask, socket } = converse(connect(ownPort, '127.0.0.1'));
  socket.write(`POST /orders?x=1 HTTP/1.1\r\nHost: x\r\n${OFFERS.h2c}Content-Length: 5\r\n\r\nhello`);
  expect((await ask('')).text).toContain('hello');
  expect((await ask('GET /v1/check HTTP/1.1\r\nHost: x\r\n\r\n')).status).toBe(401);
  expect(seen).toEqual(['POST /orders?x=1 no upgrade']);
  socket.destroy();
  own.close();
});

test('real WebSockets still open afterwards', async () => {
  const { bearer } = await v1Login(call);
  expect((await handshake(`http://127.0.0.1:${port}`, { bearer })).status).toBe(101);
  const feed = new WebSocket(`ws://127.0.0.1:${port}/v1/feed`, {
    headers: { authorization: `Bearer ${SERVICE_KEY}` },
  });
  await once(feed, 'open');
  feed.terminate();
});
