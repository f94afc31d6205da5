/** Checks with the path that a proxy asks about, the Authorization header in every spelling, and large headers. */
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Caller, PASSWORD, SERVICE_KEY, type TestAuthority } from '../support.ts';
import { type Listening, openListening, TRUSTED } from './listening.ts';
import { expectSecurityHeaders } from './described.ts';
import { ADMIN, cookieLogin, sessionTokenLogin, tokenLogin, v1Login } from './logins.ts';
import { type Answer, askOnce, converse, quickChecks, WEBSOCKET } from './conversation.ts';

let listening: Listening;
let on: TestAuthority;
let port: number;
let call: Caller;
beforeAll(async () => {
  listening = await openListening();
  ({ on, port, call } = listening);
});
afterAll(() => listening.close());

describe('a check with a query', () => {
  const QUERIES = [
    'audience=',
    'audience=a&audience=b',
    'audience=%ff',
    'audience=a%00',
    'x=1',
    'x=1&x=2',
    'x=%ff',
  ];

  test.each(QUERIES)(
    '?%s is answered alike for every method, with and without a credential',
    async (query) => {
      const { bearer } = await v1Login(call);
      for (const credential of [{}, { bearer }, { bearer: `sess_${'A'.repeat(43)}` }])
        for (const path of ['/v1/check', '/v1/check/orders']) {
          const { status } = await call('GET', `${path}?${query}`, credential);
          for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'])
            expect((await call(method, `${path}?${query}`, credential)).status, method).toBe(status);
        }
    },
  );
});

describe('a check with a path appended by a proxy', () => {
  const PATHS = [
    '/v1/check/',
    '/v1/check/orders/1',
    '/v1/check/orders/1?x=/../y&x=2',
    '/v1/check//',
    '/v1/check/../session',
    '/v1/check/%2e%2e/%2E%2E/healthz',
    '/v1/check/../../healthz',
    '/v1/check/a\\b',
    '/v1/check/%zz',
    '/v1/check/%00',
    `/v1/check/${'x'.repeat(9000)}`,
  ];
  const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'TRACE', 'QUERY'];

  test.each(PATHS.map((path) => [path.slice(0, 40), path]))(
    '%s: answered by the credential, for any method',
    async (_short, path) => {
      const { bearer, sid } = await v1Login(call);
      for (const method of METHODS) {
        const ask = async (lines: string): Promise<Answer> =>
          askOnce(port, `${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${lines}\r\n`);
        const alive = await ask(`Authorization: Bearer ${bearer}\r\n`);
        expect([method, alive.status, alive.headers.get('curfew-session')]).toEqual([method, 200, sid]);
        expectSecurityHeaders(alive.headers, '/v1/check');
        expect([method, (await ask('')).status]).toEqual([method, 401]);
        // A preflight of another origin: it has no credential, and Curfew does not answer it.
        const preflight = `Origin: ${TRUSTED}\r\nAccess-Control-Request-Method: GET\r\n`;
        expect([method, (await ask(preflight)).status]).toEqual([method, 401]);
      }
    },
  );

  test('memory answers each of them', async () => {
    const { bearer } = await v1Login(call);
    await call('GET', '/v1/check', { bearer });
    const before = await quickChecks(call);
    for (const method of METHODS)
      for (const path of ['/v1/check', '/v1/check/orders/1'])
        await askOnce(
          port,
          `${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${bearer}\r\n\r\n`,
        );
    expect((await quickChecks(call)) - before).toBe(2 * METHODS.length);
  });

  test('a body is ignored, and the connection stays usable', async () => {
    const { bearer } = await v1Login(call);
    const { ask, socket } = converse(connect(port, '127.0.0.1'));
    for (const size of [0, 3, 70_000])
      for (const path of ['/v1/check', '/v1/check/x']) {
        const { status } = await ask(
          `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${bearer}\r\nContent-Length: ${size}\r\n\r\n${'{'.repeat(size)}`,
        );
        expect([size, path, status]).toEqual([size, path, 200]);
        expect(
          (
            await ask(
              `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${size}\r\n\r\n${'{'.repeat(size)}`,
            )
          ).status,
        ).toBe(401);
      }
    socket.destroy();
  });

  test('a program without node:http gives the same answers', async () => {
    const { bearer } = await v1Login(call);
    for (const method of ['GET', 'POST', 'DELETE'])
      expect((await on.call(method, '/v1/check/orders/1?x', { bearer })).status).toBe(200);
    expect((await on.call('POST', '/v1/check/orders/1')).status).toBe(401);
    const preflight = { headers: { origin: TRUSTED, 'access-control-request-method': 'GET' } };
    expect((await on.call('OPTIONS', '/v1/check/orders/1', preflight)).status).toBe(401);
    expect((await on.call('GET', '/v1/checks', { bearer })).status).toBe(404);
    expect((await on.call('GET', `/v1/check/${'x'.repeat(9000)}`, { bearer })).status).toBe(200);
  });
});

describe('the credential in the Authorization header (RFC 9110, section 11.4)', () => {
  let asks: [string, string, string][];
  beforeAll(async () => {
    const { bearer } = await v1Login(call);
    const envelope = await call('POST', '/auth/login', { body: { email: ADMIN, password: PASSWORD } });
    asks = [
      ['GET', '/v1/check', bearer],
      ['GET', '/v1/session', bearer],
      ['GET', '/v1/notices', bearer],
      ['GET', '/auth/profile', envelope.json.data.access_token],
      ['GET', '/api/users/1', await sessionTokenLogin(call, ADMIN)],
      ['GET', '/api/v1/auth/status', (await tokenLogin(call)).bearer],
      ['GET', '/v1/admin/users', SERVICE_KEY],
      ['POST', '/oauth/introspect', SERVICE_KEY],
      ['GET', '/v1/feed', SERVICE_KEY],
    ];
  });

  test.each([
    ['Bearer $', true],
    ['bearer $', true],
    ['BEARER $', true],
    ['Bearer  $', true],
    ['bEaReR     $', true],
    [' Bearer $ ', true],
    ['Bearer\t$', false],
    ['Bearer \t$', false],
    ['Bearer $ x', false],
    ['Bearer $\tx', false],
    ['Bearer', false],
    ['Bearer$', false],
    ['Bearer,$', false],
    ['Bearer \u00a0$', false],
    ['Basic $', false],
    ['$', false],
  ])('%j', async (form, isRead) => {
    for (const [method, path, text] of asks) {
      const authorization = `Authorization: ${form.replace('$', text)}\r\n`;
      const webSocket = ['/v1/feed', '/v1/notices'].includes(path);
      const upgrade = webSocket ? `${WEBSOCKET}Sec-WebSocket-Protocol: curfew.notices.v1\r\n` : '';
      const body = method === 'POST' ? `${FORM}\r\ntoken=x` : '\r\n';
      const { status } = await askOnce(
        port,
        `${method} ${path} HTTP/1.1\r\nHost: x\r\n${upgrade}${authorization}${body}`,
      );
      expect([path, status]).toEqual([path, isRead ? (webSocket ? 101 : 200) : 401]);
    }
  });
});

const FORM = 'Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n';

describe('large headers', () => {
  test('cookies of 16 and 60 kB beside the session cookie are accepted, with every kind of request', async () => {
    const { cookie } = await cookieLogin(call);
    for (const size of [16_384, 60_000]) {
      const jar = `Cookie: a=${'x'.repeat(size)}; curfew_session=${cookie}\r\n`;
      for (const path of ['/v1/check', '/v1/session', '/v1/check/orders'])
        expect((await askOnce(port, `GET ${path} HTTP/1.1\r\nHost: x\r\n${jar}\r\n`)).status).toBe(200);
    }
  });

  test('headers beyond the setting: 431', async () => {
    expect(
      (await askOnce(port, `GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(66_000)}\r\n\r\n`))
        .status,
    ).toBe(431);
  });
});
