/** The authority behind a real node:http server: what the wire adds to fetch handlers. */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { z } from '@hono/zod-openapi';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Caller,
  callerOf,
  openAuthority,
  PASSWORD,
  routeBackend,
  SERVICE_KEY,
  type TestAuthority,
} from '../support.ts';
import { described, expectSecurityHeaders, ROWS } from './described.ts';
import { ADMIN, cookieLogin, sessionTokenLogin, tokenLogin, USER, v1Login } from './logins.ts';

const TRUSTED = 'https://app.example.net';
let on: TestAuthority;
let server: Server;
let port: number;
let call: Caller;
beforeAll(async () => {
  on = await openAuthority(routeBackend(), { CURFEW_TRUSTED_ORIGINS: TRUSTED });
  server = createServer({ maxHeaderSize: 16_384 }, on.authority.listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
  call = callerOf((asked) => fetch(asked), `http://127.0.0.1:${port}`);
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await on.close();
});

interface Raw {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

/** The headers that identify the caller of a check, by the description. */
const IDENTITY = Object.keys(
  z.instanceof(z.ZodObject).parse(ROWS.find(({ name }) => name === 'checkSession')?.responses['200']?.headers)
    .shape,
);

/** One request with headers as they are, also twice the same. */
function raw(method: string, path: string, headers: string[] = [], body: string | Buffer = ''): Promise<Raw> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { port, host: '127.0.0.1', method, path, headers: ['Host', `127.0.0.1:${port}`, ...headers] as never },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () =>
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.headers,
            body: Buffer.concat(chunks).toString(),
          }),
        );
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

async function quickChecks(): Promise<number> {
  const { body } = await raw('GET', '/metrics', ['Authorization', `Bearer ${SERVICE_KEY}`]);
  return Number(/^curfew_quick_checks_total (\d+)/m.exec(body)?.[1]);
}

describe('the quick check', () => {
  /** Parts of two answers that may differ, or are the wire's. */
  const comparable = (headers: Iterable<[string, unknown]>): Record<string, unknown> => {
    const wire = ['x-request-id', 'date', 'connection', 'keep-alive', 'content-length', 'transfer-encoding'];
    return Object.fromEntries(
      [...headers].filter(([name]) => !wire.includes(name)).sort(([a], [b]) => a.localeCompare(b)),
    );
  };

  async function expectSame(headers: string[], status: number, quick: boolean): Promise<void> {
    const before = await quickChecks();
    const wire = await raw('GET', '/v1/check', headers);
    const name = headers.join(' ').slice(0, 60);
    expect([name, wire.status, (await quickChecks()) - before]).toEqual([name, status, quick ? 1 : 0]);
    const asked = new Headers();
    for (let i = 0; i < headers.length; i += 2) asked.append(headers[i] ?? '', headers[i + 1] ?? '');
    const answer = await on.authority.fetch(
      new Request('http://localhost:8000/v1/check', { headers: asked }),
    );
    expect([name, answer.status, await answer.text()]).toEqual([name, wire.status, wire.body]);
    expect(comparable(Object.entries(wire.headers))).toEqual(comparable(answer.headers));
    expectSecurityHeaders(new Headers(wire.headers as Record<string, string>), '/v1/check');
  }

  test('answers as the ordinary way does, for every credential', async () => {
    const { cookie } = await cookieLogin(call);
    const bearers = [
      (await v1Login(call)).bearer,
      (await tokenLogin(call)).bearer,
      await sessionTokenLogin(call),
    ];
    for (const bearer of bearers) await expectSame(['Authorization', `Bearer ${bearer}`], 200, true);
    await expectSame(['Cookie', `curfew_session=${cookie}`], 200, true);
    await expectSame(['Cookie', `a=b; curfew_session=${cookie}; c=d`], 200, true);
  });

  test('leaves every doubt to the ordinary way, which refuses or accepts the same', async () => {
    const { bearer, refresh } = await v1Login(call);
    const { cookie } = await cookieLogin(call);
    const other = await cookieLogin(call, ADMIN);
    await expectSame([], 401, false);
    await expectSame(['Authorization', `bearer ${bearer}`], 200, false);
    await expectSame(['Authorization', `Bearer  ${bearer}`], 200, false);
    await expectSame(['Authorization', `Bearer\t${bearer}`], 401, false);
    await expectSame(['Authorization', `Bearer ${bearer} x`], 401, false);
    await expectSame(['Authorization', bearer], 401, false);
    await expectSame(['Authorization', `Bearer ${refresh}`], 401, false);
    await expectSame(['Authorization', `Bearer ${cookie}`], 401, false);
    await expectSame(['Authorization', 'Bearer nonsense', 'Cookie', `curfew_session=${cookie}`], 401, false);
    await expectSame(['Authorization', `Bearer ${bearer}`, 'Cookie', 'curfew_session=nonsense'], 200, true);
    await expectSame(['Cookie', `curfew_session=${bearer}`], 401, false);
    await expectSame(['Cookie', `curfew_session=${cookie}; curfew_session=${other.cookie}`], 401, false);
    await expectSame(
      ['Cookie', `curfew_session=${cookie}`, 'Cookie', `curfew_session=${other.cookie}`],
      401,
      false,
    );
    await expectSame(['Authorization', `Bearer ${bearer}`, 'Authorization', 'Bearer nonsense'], 401, false);
    await expectSame(['Authorization', `Bearer ${bearer}`, 'Origin', TRUSTED], 200, false);
    await expectSame(['Authorization', `Bearer ${bearer}`, 'Origin', 'https://evil.test'], 200, false);
  });

  test('refuses at once after a logout', async () => {
    const { bearer } = await v1Login(call);
    const headers = ['Authorization', `Bearer ${bearer}`];
    for (let i = 0; i < 3; i++) await expectSame(headers, 200, true);
    expect((await call('POST', '/v1/logout', { bearer })).status).toBe(200);
    // The first refusal is the ordinary way's; memory repeats it.
    for (let i = 0; i < 3; i++) await expectSame(headers, 401, i > 0);
  });

  test('answers every method, because a proxy may pass its client’s on', async () => {
    const { bearer } = await v1Login(call);
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'PROPFIND']) {
      const alive = await raw(method, '/v1/check', ['Authorization', `Bearer ${bearer}`]);
      expect([method, alive.status, alive.headers['curfew-subject']]).toEqual([method, 200, '2']);
      expect([method, (await raw(method, '/v1/check')).status]).toEqual([method, 401]);
    }
    for (const path of ['/v1/check?', '/v1/check?x=1'])
      expect((await raw('GET', path, ['Authorization', `Bearer ${bearer}`])).status).toBe(200);
  });

  test('sends every identity header, so that a proxy overwrites a client’s', async () => {
    const { bearer, sid } = await v1Login(call);
    const forged = IDENTITY.flatMap((name) => [name, 'forged']);
    const { headers } = await raw('GET', '/v1/check', ['Authorization', `Bearer ${bearer}`, ...forged]);
    const said = Object.entries(headers).filter(([name]) => name.startsWith('curfew-'));
    expect(Object.fromEntries(said)).toEqual({
      'curfew-subject': '2',
      'curfew-session': sid,
      'curfew-client': 'default',
      'curfew-role': 'user',
      'curfew-external-id': '',
      'curfew-external-issuer': '',
    });
    expect(said.map(([name]) => name).sort()).toEqual(IDENTITY.toSorted());
  });

  test('every proxy of the guide overwrites every identity header', () => {
    const guide = readFileSync(
      join(import.meta.dirname, '../../../../docs/guides/protect-an-api.md'),
      'utf8',
    );
    for (const language of ['nginx', 'caddyfile', 'yaml']) {
      const block = new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's').exec(guide)?.[1]?.toLowerCase() ?? '';
      const written =
        language === 'nginx'
          ? block.match(/(?<=proxy_set_header )curfew-\S+/g)
          : block.match(/curfew-[a-z-]+/g);
      expect([language, written?.toSorted()]).toEqual([language, IDENTITY.toSorted()]);
    }
  });
});

test('every address answers with the security headers, whatever the status', async () => {
  const paths = [...new Set(ROWS.map((row) => row.path.replace('{id}', '2')))];
  const unknown = [
    '/',
    '/nothing',
    '/auth',
    '/v1/',
    '/%',
    '/v1/session/',
    '//v1/session',
    '/v1/session%2F',
    `/${'x'.repeat(9000)}`,
  ];
  expect(paths.length).toBeGreaterThan(25);
  for (const path of [...paths, ...unknown, '/docs/start.js']) {
    for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD']) {
      const { headers, status } = await raw(method, path, ['Content-Type', 'application/json']);
      expect([method, path.slice(0, 40), status < 500]).toEqual([method, path.slice(0, 40), true]);
      expectSecurityHeaders(new Headers(headers as Record<string, string>), path);
      expect(headers['x-request-id']).toMatch(/^[0-9a-f]{8}-[0-9a-z]+$/);
      expect(headers['x-powered-by'] ?? headers['server']).toBe(undefined);
    }
  }
});

test('an unsupported method: 405 with Allow; an unknown address: 404', async () => {
  for (const [path, rows] of Map.groupBy(ROWS, (row) => row.path)) {
    if (path === '/v1/check') continue;
    const methods = [...new Set(rows.map(({ method }) => method.toUpperCase()))];
    const { status, headers, body } = await raw('PUT', path.replace('{id}', '2'));
    expect([path, status, String(headers['allow']).split(', ').sort()]).toEqual([path, 405, methods.sort()]);
    expect(JSON.parse(body)).toMatchObject({ code: 'method_not_allowed', status: 405 });
    expect(headers['content-type']).toBe('application/problem+json');
  }
  const { status, body } = await raw('GET', '/v1/nothing');
  expect([status, JSON.parse(body).code]).toEqual([404, 'not_found']);
});

describe('limits', () => {
  const LOGIN = JSON.stringify({ email: USER, password: PASSWORD });

  test('a body of more than 64 KB is refused, with a length or streamed without one', async () => {
    const large = JSON.stringify({ email: USER, password: PASSWORD, more: 'x'.repeat(66_000) });
    const type = ['Content-Type', 'application/json'];
    for (const path of ['/auth/login', '/api/auth/login', '/api/v1/auth/login', '/v1/login', '/v1/refresh']) {
      const declared = await raw('POST', path, [...type, 'Content-Length', String(large.length)], large);
      expect([path, declared.status]).toEqual([path, 413]);
      const streamed = await raw('POST', path, [...type, 'Transfer-Encoding', 'chunked'], large);
      expect([path, streamed.status]).toEqual([path, 413]);
    }
    const { status } = await raw('POST', '/v1/login', [...type, 'Transfer-Encoding', 'chunked'], LOGIN);
    expect(status).toBe(200);
  });

  test('an endless stream is cut off, not collected', async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1');
      let text = '';
      let sent = 0;
      const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
      const more = (): void => {
        while (!socket.destroyed && socket.writable && sent < 50_000_000) {
          sent += 0x4000;
          if (!socket.write(chunk)) return void socket.once('drain', more);
        }
      };
      socket.on('connect', () => {
        socket.write(
          `POST /v1/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
        );
        more();
      });
      socket.on('data', (data) => {
        text += data.toString();
        if (text.includes('too_large')) {
          socket.destroy();
          resolve(text);
        }
      });
      socket.on('error', (error) => (text.includes('413') ? resolve(text) : reject(error)));
      socket.on('close', () => resolve(text));
    });
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });

  test('a wrong Content-Length in a fetch handler does not help', async () => {
    const body = JSON.stringify({ email: USER, password: PASSWORD, more: 'x'.repeat(200_000) });
    const asked = new Request('http://localhost:8000/v1/login', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': '10' },
      body,
    });
    expect((await on.authority.fetch(asked)).status).toBe(413);
  });

  test('an address of more than 8192 characters: 414', async () => {
    const { status, body } = await raw('GET', `/v1/session?x=${'y'.repeat(8200)}`);
    expect([status, JSON.parse(body).code]).toEqual([414, 'url_too_long']);
    expect((await raw('GET', `/v1/session?x=${'y'.repeat(7000)}`)).status).toBe(401);
  });

  test('headers of more than 16 KB: 431', async () => {
    expect((await raw('GET', '/v1/session', ['X-Long', 'x'.repeat(17_000)])).status).toBe(431);
  });

  test('another media type: 415 in /v1', async () => {
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/jsonp',
      'text/json',
    ]) {
      const { status, body } = await raw(
        'POST',
        '/v1/login',
        ['Content-Type', type, 'Content-Length', String(LOGIN.length)],
        LOGIN,
      );
      expect([type, status, JSON.parse(body).code]).toEqual([type, 415, 'unsupported_media_type']);
    }
    for (const type of [
      'application/json',
      'Application/JSON; charset=utf-8',
      'application/json ;charset=utf-8',
    ])
      expect(
        (
          await raw(
            'POST',
            '/v1/login',
            ['Content-Type', type, 'Content-Length', String(LOGIN.length)],
            LOGIN,
          )
        ).status,
      ).toBe(200);
  });
});

describe('other origins', () => {
  const cors = async (method: string, path: string, origin: string) => {
    const { status, headers } = await raw(method, path, [
      'Origin',
      origin,
      'Access-Control-Request-Method',
      'POST',
    ]);
    return [
      status,
      headers['access-control-allow-origin'] ?? null,
      headers['access-control-allow-credentials'] ?? null,
    ];
  };
  test('a trusted one may read answers with credentials, after a preflight', async () => {
    expect(await cors('OPTIONS', '/v1/logout', TRUSTED)).toEqual([204, TRUSTED, 'true']);
    expect(await cors('GET', '/v1/session', TRUSTED)).toEqual([401, TRUSTED, 'true']);
  });
  test.each(['https://evil.test', 'null', `${TRUSTED}.evil.test`, 'https://app.example.net:8443', '*'])(
    '%s may not',
    async (origin) => {
      expect((await cors('OPTIONS', '/v1/logout', origin)).slice(1)).toEqual([null, null]);
      expect((await cors('GET', '/v1/session', origin)).slice(1)).toEqual([null, null]);
    },
  );
});

test('the log has the connection’s address, which headers do not change', async () => {
  const { bearer } = await v1Login(call);
  const { body } = await raw('GET', '/v1/sessions', [
    'Authorization',
    `Bearer ${bearer}`,
    'X-Forwarded-For',
    '203.0.113.9',
  ]);
  const addresses = (JSON.parse(body) as { sessions: { ip_address: string }[] }).sessions.map(
    (one) => one.ip_address,
  );
  expect(new Set(addresses)).toEqual(new Set(['127.0.0.1']));
});

test('metrics are for this machine, not through its proxy, or for a service key', async () => {
  expect((await raw('GET', '/metrics')).status).toBe(200);
  expect((await raw('GET', '/metrics', ['X-Forwarded-For', '203.0.113.9'])).status).toBe(403);
  expect(
    (
      await raw('GET', '/metrics', [
        'X-Forwarded-For',
        '203.0.113.9',
        'Authorization',
        `Bearer ${SERVICE_KEY}`,
      ])
    ).status,
  ).toBe(200);
  const { bearer } = await v1Login(call, ADMIN);
  const far = await described(on.call)('GET', '/metrics', { bearer });
  expect(far.status).toBe(403);
});
