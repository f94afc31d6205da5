/** Text that is not well-formed Unicode is refused wherever text comes in: it would become another text on the way. */
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type AnyJson,
  ISSUER,
  NEW_PASSWORD,
  openAuthority,
  PASSWORD,
  routeBackend,
  SERVICE_KEY,
  type TestAuthority,
} from '../support.ts';
import { described } from './described.ts';
import { cookieLogin, newUser, opened, USER } from './logins.ts';

let on: TestAuthority;
let server: Server;
let port: number;
beforeAll(async () => {
  on = await openAuthority(routeBackend(), {
    CURFEW_LOGIN_FAILURES_ADDRESS: '1000000',
    CURFEW_LOGIN_FAILURES_PAIR: '1000000',
  });
  server = createServer(on.authority.listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await on.close();
});

interface Reply {
  status: number;
  json: AnyJson;
}
type Send = (method: string, path: string, headers: Record<string, string>, body: Buffer) => Promise<Reply>;

function wire(framing: (body: Buffer) => Record<string, string>): Send {
  return (method, path, headers, body) =>
    new Promise((resolve, reject) => {
      const sent = request(
        { port, host: '127.0.0.1', method, path, headers: { ...headers, ...framing(body) } },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on('data', (chunk: Buffer) => chunks.push(chunk));
          answer.on('error', reject);
          answer.on('end', () =>
            resolve({ status: answer.statusCode ?? 0, json: jsonOf(Buffer.concat(chunks).toString()) }),
          );
        },
      );
      sent.on('error', reject);
      sent.end(body);
    });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Every way by which a body reaches the program. */
const WAYS: [string, Send][] = [
  ['with a length', wire((body) => ({ 'content-length': String(body.length) }))],
  ['chunked', wire(() => ({ 'transfer-encoding': 'chunked' }))],
  [
    'by fetch',
    async (method, path, headers, body) => {
      const answer = await on.authority.fetch(
        new Request(new URL(path, ISSUER), { method, headers, body: new Uint8Array(body) }),
        { address: '192.0.2.1' },
      );
      return { status: answer.status, json: jsonOf(await answer.text()) };
    },
  ],
];

const JSON_TYPE = { 'content-type': 'application/json' };
const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' };

/** The login of each family: the names of its fields, and its own answer to malformed input. */
const LOGINS: [path: string, user: string, status: number, shape: object][] = [
  ['/v1/login', 'email', 400, { code: 'invalid_request' }],
  ['/auth/login', 'email', 400, { success: false, data: null, code: 'VALIDATION_ERROR' }],
  ['/api/auth/login', 'username', 400, { path: '/api/auth/login', error: expect.any(String) }],
  ['/api/v1/auth/login', 'email', 422, { message: expect.any(String), errors: expect.any(Object) }],
];

/** JSON of which one byte sequence is not UTF-8. */
const bytes = (user: string, password: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`{"${user}":"${USER}","password":"`), password, Buffer.from('"}')]);

const NOT_UTF8: [string, Buffer][] = [
  ['eight bytes of Latin-1', Buffer.from('éééééééé', 'latin1')],
  ['a surrogate in UTF-8', Buffer.from([0x61, 0xed, 0xa0, 0x80])],
  ['an overlong form', Buffer.from([0x61, 0xc0, 0xaf])],
  ['beyond U+10FFFF', Buffer.from([0x61, 0xf4, 0x90, 0x80, 0x80])],
  ['a sequence cut short', Buffer.from([0x61, 0xe2, 0x82])],
];

describe.each(WAYS)('a body %s', (_way, send) => {
  describe.each(LOGINS)('to %s', (path, user, status, shape) => {
    test.each(NOT_UTF8)('with %s is refused', async (_name, password) => {
      const answer = await send('POST', path, JSON_TYPE, bytes(user, password));
      expect([answer.status, answer.json]).toEqual([status, expect.objectContaining(shape)]);
    });

    test.each([
      ['a lone surrogate in the password', { [user]: USER, password: `${PASSWORD}\ud800` }],
      ['a lone low surrogate', { [user]: USER, password: '\udc00abc' }],
      ['a lone surrogate in a member that is ignored', { [user]: USER, password: PASSWORD, x: ['\ud800'] }],
      ['a lone surrogate in a key', { [user]: USER, password: PASSWORD, 'x\udfff': 1 }],
      ['a lone surrogate in a key below', { [user]: USER, password: PASSWORD, x: [{ '\ud800': 1 }] }],
      ['NUL in the password', { [user]: USER, password: 'pass\0word' }],
    ])('with %s is refused', async (_name, body) => {
      const answer = await send('POST', path, JSON_TYPE, Buffer.from(JSON.stringify(body)));
      expect([answer.status, answer.json]).toEqual([status, expect.objectContaining(shape)]);
    });

    test.each(['latin1', 'ISO-8859-1', '"windows-1252"', 'utf-16', 'us-ascii', ''])(
      'with the charset %s is refused',
      async (charset) => {
        const type = { 'content-type': `application/json; charset=${charset}` };
        const answer = await send('POST', path, type, bytes(user, Buffer.from(PASSWORD)));
        expect(answer.status).toBe(path.startsWith('/v1') ? 415 : status);
        if (!path.startsWith('/v1')) expect(answer.json).toMatchObject(shape);
      },
    );

    test.each(['utf-8', 'UTF-8', '"utf-8"', 'utf8'])('with the charset %s is accepted', async (charset) => {
      const type = { 'content-type': `application/json;charset=${charset}` };
      expect((await send('POST', path, type, bytes(user, Buffer.from(PASSWORD)))).status).toBe(200);
    });

    test('with a byte order mark is accepted (RFC 8259 section 8.1)', async () => {
      const body = Buffer.concat([Buffer.from('\ufeff'), bytes(user, Buffer.from(PASSWORD))]);
      expect((await send('POST', path, JSON_TYPE, body)).status).toBe(200);
    });

    test('with a surrogate pair in escapes is accepted as one character', async () => {
      const body = bytes(user, Buffer.from('\\ud83d\\ude00 a smile'));
      expect((await send('POST', path, JSON_TYPE, body)).status).toBe(401);
    });
  });

  test('in a form has the same rules', async () => {
    const service = { ...FORM_TYPE, authorization: `Bearer ${SERVICE_KEY}` };
    const ask = (body: Buffer, more: object = {}): Promise<Reply> =>
      send('POST', '/oauth/introspect', { ...service, ...more }, body);
    for (const body of [
      Buffer.from([0x74, 0x6f, 0x6b, 0x65, 0x6e, 0x3d, 0xff]),
      Buffer.from('token=%ff'),
      Buffer.from('token=%ED%A0%80'),
      Buffer.from('token=a&%C0%AF=b'),
      Buffer.from('token=a%00'),
    ]) {
      const { status, json } = await ask(body);
      expect([String(body), status, json]).toEqual([
        String(body),
        400,
        expect.objectContaining({ code: 'invalid_request' }),
      ]);
    }
    const latin = { 'content-type': 'application/x-www-form-urlencoded; charset=latin1' };
    expect((await ask(Buffer.from('token=a'), latin)).status).toBe(415);
    expect((await ask(Buffer.from('token=%E2%82%AC%zz+%'))).json).toEqual({ active: false });
    const page = await send('POST', '/login', FORM_TYPE, Buffer.from(`email=${USER}&password=%ff%ff`));
    expect(page.status).toBe(400);
  });
});

test('a password is set to exactly the sent text, or not at all', async () => {
  const [[, send] = []] = WAYS;
  const session = await opened(on.call, (await newUser(on.call)).id);
  const own = { ...JSON_TYPE, authorization: `Bearer ${session.bearer}` };
  const service = { ...JSON_TYPE, authorization: `Bearer ${SERVICE_KEY}` };
  const latin = Buffer.from('éééééééééééééé', 'latin1');
  const around = (head: string): Buffer => Buffer.concat([Buffer.from(head), latin, Buffer.from('"}')]);
  for (const [path, headers, body] of [
    ['/v1/password', own, around(`{"current_password":"${NEW_PASSWORD}","new_password":"`)],
    ['/v1/session/confirm', own, around('{"password":"')],
    ['/v1/admin/users', service, around('{"email":"new@example.com","password":"')],
    ['/v1/admin/users/2/password', service, around('{"password":"')],
  ] as const)
    expect([path, (await send?.('POST', path, headers, body))?.status]).toEqual([path, 400]);
});

describe('an address', () => {
  const ADDRESSES: [method: string, path: string, field: string][] = [
    ['GET', '/v1/admin/users?query=%ff', 'query'],
    ['GET', '/v1/admin/users?query=%ED%A0%80', 'query'],
    ['GET', '/v1/admin/users?query=a&x=%C0%AF', 'x'],
    ['GET', '/v1/admin/users?%ff=a', ''],
    ['GET', '/v1/admin/users?query=a%00', 'query'],
    ['GET', '/v1/admin/users/%ff', 'id'],
    ['GET', '/v1/admin/sessions?client_id=%ff', 'client_id'],
    ['GET', '/v1/admin/events?actor=%F0%9F%94', 'actor'],
    ['DELETE', '/v1/sessions/%ff', 'id'],
    ['DELETE', '/v1/sessions/%00', 'id'],
    ['PATCH', '/v1/sessions/%ff', 'id'],
  ];
  test.each(ADDRESSES)('%s %s is refused, and the field %s is named', async (method, path, field) => {
    const bearer = path.includes('admin') ? SERVICE_KEY : (await opened(on.call, 2)).bearer;
    const { status, json } = await described(on.call)(method, path, {
      bearer,
      ...(method === 'PATCH' ? { body: { name: 'x' } } : {}),
    });
    expect([status, json.code, json.field ?? '']).toEqual([400, 'invalid_request', field]);
  });

  test.each([
    ['/login?next=%ff', 'next'],
    ['/login?reason=%ED%A0%80', 'reason'],
    ['/logout?lang=%C0%AF', 'lang'],
    ['/devices?lang=%ff', 'lang'],
  ])('of the page %s is refused, and the field %s is named', async (path, field) => {
    const { status, json } = await on.call('GET', path);
    expect([status, json.code, json.field]).toEqual([400, 'invalid_request', field]);
    // Further parameters of a link are ignored.
    expect((await on.authority.fetch(new Request('http://localhost:8000/login?utm=%ff'))).status).toBe(200);
  });

  test('is refused by the contracts in their own format, and nothing ends', async () => {
    const call = described(on.call);
    const cookie = await cookieLogin(call);
    const { bearer } = await opened(call, 1);
    expect(await call('POST', '/auth/logout?scope=%ff', cookie)).toMatchObject({
      status: 400,
      json: { detail: { error_code: 'INVALID_SCOPE' } },
    });
    expect(await call('POST', '/auth/logout?scope=%ff', { bearer })).toMatchObject({
      status: 400,
      json: { success: false, code: 'VALIDATION_ERROR', field: 'scope' },
    });
    expect(await call('POST', '/api/auth/logout?userId=1&sessionId=sess_%ff')).toMatchObject({
      status: 400,
      json: { error: 'userId and sessionId parameters are required', path: '/api/auth/logout' },
    });
    expect(await call('GET', '/api/users/%ff', { bearer })).toMatchObject({
      status: 400,
      json: { error: expect.any(String), path: '/api/users/%ff' },
    });
    for (const still of [{ bearer }, { cookie: cookie.cookie }])
      expect((await call('GET', '/v1/session', still)).status).toBe(200);
  });

  test('is not read where a row reads nothing from it', async () => {
    const { bearer } = await opened(on.call, 2);
    expect((await on.call('GET', '/v1/check?uri=%ff', { bearer })).status).toBe(200);
  });
});
