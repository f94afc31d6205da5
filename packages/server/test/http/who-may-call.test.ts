/** Who may call what, from the rows: each endpoint is called by every kind of caller, and admits those that its rule names. */
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { KEY_SCOPES, newKeyText } from '../../src/domain/api-key.ts';
import {
  administratorToRead,
  type CallerRule,
  type KeyRule,
  schemesOf,
  serviceKey,
} from '../../src/domain/caller-rule.ts';
import { serveRow } from '../../src/http/contract/serve-row.ts';
import type { Endpoint } from '../../src/http/contract/family.ts';
import { FAMILIES } from '../../src/http/families.ts';
import { NOTICES_PROTOCOL } from '@curfew/protocol/notices';
import {
  type Caller,
  type CallOptions,
  ISSUER,
  openAuthority,
  routeBackend,
  SERVICE_KEY,
  type TestAuthority,
} from '../support.ts';
import { askOnce, WEBSOCKET } from './conversation.ts';
import { described, type DescribedRow, ROWS, rowOf } from './described.ts';
import { newKey } from './logins.ts';
import { type Door, openDoor } from './notices-door.ts';

const USER = 2;
const ADMINISTRATOR = 1;
const CLIENT_SCOPES = KEY_SCOPES.filter((scope) => scope !== 'admin');
/** The kinds of callers, by their credentials. */
const CALLERS = [
  'nobody',
  'user',
  'user with a session token',
  'user with a cookie',
  'user with a cookie without CSRF',
  'user for another audience',
  'administrator',
  'administrator with a cookie',
  'administrator with a cookie without CSRF',
  'administrator for another audience',
  'service key',
  ...KEY_SCOPES.map((scope) => `operator's key, ${scope}` as const),
  ...CLIENT_SCOPES.map((scope) => `client's key, ${scope}` as const),
  'revoked key',
  'made-up key',
  'made-up token',
] as const;
type Who = (typeof CALLERS)[number];

/** By row: the query without which it refuses callers whom it lets in. */
const QUERIES: Record<string, string> = {
  // A client's key searches no users.
  listUsers: '?external_id=nobody',
};

/** The answer of a rule about keys to a caller with one: admitted, refused, or null for any other caller. */
function expectedOfKey({ scope, clients }: KeyRule, who: Who): 'let in' | 403 | null {
  if (who === 'service key') return 'let in';
  const [, whose, its] = /^(operator|client)'s key, (.*)$/.exec(who) ?? [];
  if (whose === undefined) return null;
  return (its === scope || its === 'admin') && (clients || whose === 'operator') ? 'let in' : 403;
}

/** The rule's answer to a caller: admitted, or refused with this status. */
function expected(rule: CallerRule, who: Who): 'let in' | 401 | 403 {
  const byCookie = who.includes('cookie');
  const isSession = who.startsWith('user') || who.startsWith('administrator');
  switch (rule.who) {
    case 'nobody':
      return 'let in';
    case 'service':
      return expectedOfKey(rule.key, who) ?? 401;
    case 'credential':
      return isSession ? 'let in' : 401;
    case 'session':
      if (!isSession || (byCookie && rule.by === 'header')) return 401;
      if (rule.changes && who.endsWith('without CSRF')) return 403;
      return rule.own && who.endsWith('another audience') ? 403 : 'let in';
    case 'administrator': {
      const ofKey = expectedOfKey(rule.key, who);
      if (ofKey !== null) return ofKey;
      if (!isSession) return 401;
      if (rule.changes && who.endsWith('without CSRF')) return 403;
      return who.startsWith('user') || who.endsWith('another audience') ? 403 : 'let in';
    }
    case 'dependent': {
      // As these requests come: over the network, without asking for a stream, by cookie, by header or without a credential.
      const byHeader = { via: 'header', credential: null, text: '' } as const;
      const chosen = rule.choose({
        from: byCookie ? { via: 'cookie', credential: null } : who === 'nobody' ? { via: 'none' } : byHeader,
        header: () => undefined,
        ipAddress: '192.0.2.1',
      });
      return expected(chosen, who);
    }
  }
}

const rulesOf = (rule: CallerRule): readonly CallerRule[] => (rule.who === 'dependent' ? rule.rules : [rule]);

/** Metrics answer "forbidden" without a key: this machine may read them without one. */
const statusOf = (row: DescribedRow, refusal: 401 | 403): number => (row.path === '/metrics' ? 403 : refusal);

describe('who may call', () => {
  let on: TestAuthority;
  let call: Caller;
  beforeAll(async () => {
    on = await openAuthority(routeBackend(), {
      CURFEW_CLIENTS: '{"shop":{"audience":"https://shop.example"}}',
      // These tests send more wrong keys than one address may (http/wrong-keys.test.ts).
      CURFEW_LOGIN_FAILURES_ADDRESS: '100000',
    });
    call = described(on.call);
  });
  afterAll(() => on.close());

  async function credentialsOf(who: Who): Promise<CallOptions> {
    const open = async (transport: string, client_id = 'default') => {
      const user_id = who.startsWith('user') ? USER : ADMINISTRATOR;
      const body = { user_id, client_id, transport };
      return (await call('POST', '/v1/admin/sessions', { bearer: SERVICE_KEY, body })).json;
    };
    if (who === 'nobody') return {};
    if (who === 'service key') return { bearer: SERVICE_KEY };
    if (who.includes('key')) return { bearer: await keyOf(who) };
    if (who === 'made-up token') return { bearer: `sess_${'A'.repeat(43)}` };
    if (who.endsWith('session token')) return { bearer: (await open('opaque')).session_token };
    if (who.endsWith('another audience')) return { bearer: (await open('bearer', 'shop')).access_token };
    if (!who.includes('cookie')) return { bearer: (await open('bearer')).access_token };
    const { cookie, csrf_token: csrf } = await open('cookie');
    return who.endsWith('without CSRF') ? { cookie: cookie.value } : { cookie: cookie.value, csrf };
  }

  async function keyOf(who: Who): Promise<string> {
    const [, whose, scope = 'users'] = /^(operator|client)'s key, (.*)$/.exec(who) ?? [];
    if (who === 'made-up key') return newKeyText('operator', randomBytes);
    const client_id = whose === 'client' ? 'shop' : null;
    const { id, secret } = await newKey(call, { name: who, scopes: [scope], client_id });
    if (who === 'revoked key') await call('DELETE', `/v1/admin/api-keys/${id}`, { bearer: SERVICE_KEY });
    return secret;
  }

  const opened = new Map<Who, CallOptions>();
  async function openedFor(who: Who): Promise<CallOptions> {
    const credentials = opened.get(who) ?? (await credentialsOf(who));
    opened.set(who, credentials);
    return credentials;
  }

  const newestPosition = async (): Promise<number> =>
    (await call('GET', '/v1/admin/events?limit=1&type=user_changed', { bearer: SERVICE_KEY })).json.events[0]
      ?.position ?? 0;

  test.each(ROWS.map((row) => [`${row.method.toUpperCase()} ${row.path} (${row.name})`, row] as const))(
    '%s admits exactly the callers that its row names',
    async (_name, row) => {
      const outcomes: Record<string, unknown> = {};
      const wanted: Record<string, unknown> = {};
      // One after the other, and each time anew: a logout without a body ends the others' sessions.
      const logsOut = row.method !== 'get' && !row.request?.body;
      for (const who of CALLERS) {
        if (logsOut) opened.clear();
        const credentials = await openedFor(who);
        // Where two rows share an address, the credential decides which rule applies.
        const { caller } = rowOf(row.method.toUpperCase(), row.path, credentials) ?? row;
        const rule = expected(caller, who);
        // Contract 002 shows an administrator's session others, if it is for Curfew; here each asks for its own.
        const id = who.startsWith('administrator') ? ADMINISTRATOR : USER;
        // An invalid body: an admitted caller hears of it, and nothing is done.
        const address = row.path.replace('{id}', String(id)) + (QUERIES[row.name] ?? '');
        const { status } = await call(row.method.toUpperCase(), address, {
          ...credentials,
          ...(row.request?.body ? { body: '{' } : {}),
        });
        outcomes[who] = [401, 403].includes(status) ? status : 'let in';
        wanted[who] = rule === 'let in' ? rule : statusOf(row, rule);
      }
      expect(outcomes).toEqual(wanted);
    },
  );

  afterEach(({ task }) => {
    if (/logout/.test(task.name)) opened.clear();
  });

  test('the calls above changed nothing', async () => {
    expect(await newestPosition()).toBe(0);
    const { json: body } = await call('GET', '/v1/admin/users', { bearer: SERVICE_KEY });
    expect(body.users.map(({ role }: { role: string }) => role)).toEqual(['admin', 'user']);
  });

  describe('by the handshake of a WebSocket', () => {
    const ORIGINS = { none: null, own: ISSUER, foreign: 'https://evil.example' };
    const WEBSOCKETS = ROWS.filter(({ responses }) => '101' in responses);
    let door: Door;
    beforeAll(async () => {
      door = await openDoor(on.authority);
    });
    afterAll(() => door.close());

    test('there are rows', () => {
      expect(WEBSOCKETS.map(({ path }) => path).sort()).toEqual(['/v1/feed', '/v1/notices']);
    });

    test.each(WEBSOCKETS.map((row) => [row.path, row] as const))(
      '%s admits exactly the callers and origins that its row names',
      async (path, row) => {
        const outcomes: Record<string, unknown> = {};
        const wanted: Record<string, unknown> = {};
        for (const who of CALLERS)
          for (const [page, origin] of Object.entries(ORIGINS)) {
            const { bearer, cookie } = await openedFor(who);
            const lines = [
              `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${WEBSOCKET}Sec-WebSocket-Protocol: ${NOTICES_PROTOCOL}\r\n`,
              bearer === undefined ? '' : `Authorization: Bearer ${bearer}\r\n`,
              cookie === undefined ? '' : `Cookie: curfew_session=${cookie}\r\n`,
              origin === null ? '' : `Origin: ${origin}\r\n`,
            ];
            const { status } = await askOnce(Number(new URL(door.url).port), `${lines.join('')}\r\n`);
            const rule = expected(row.caller, who);
            const listens = row.caller.who === 'dependent';
            const trusted = page === 'own' || (page === 'none' && cookie === undefined);
            outcomes[`${who}, ${page}`] = status;
            wanted[`${who}, ${page}`] = listens && !trusted ? 403 : rule === 'let in' ? 101 : rule;
          }
        expect(outcomes).toEqual(wanted);
      },
    );
  });

  test.each([
    '',
    'x',
    SERVICE_KEY.slice(0, -1),
    `${SERVICE_KEY}x`,
    SERVICE_KEY.toUpperCase(),
    `${SERVICE_KEY},`,
  ])('an almost right service key is refused: "%s"', async (bearer) => {
    for (const row of ROWS.filter(({ caller }) => schemesOf(caller).includes('service'))) {
      const { status } = await call(row.method.toUpperCase(), row.path.replace('{id}', '2'), { bearer });
      expect([row.path, status]).toEqual([row.path, statusOf(row, 401)]);
    }
  });
});

test('the administration is for administrators and services, and its changes require the CSRF token of a cookie', () => {
  for (const { path, method, caller } of ROWS) {
    if (path.startsWith('/v1/admin/'))
      for (const rule of rulesOf(caller))
        expect([path, ['administrator', 'service']]).toEqual([path, expect.arrayContaining([rule.who])]);
    // Contract 001's header is no cookie: the rule for a cookie is the last one.
    const rule = rulesOf(caller).at(-1);
    if (method !== 'get' && rule && 'changes' in rule && !('by' in rule && rule.by === 'header'))
      expect([path, rule.changes]).toEqual([path, true]);
  }
});

test('a rule about keys without a scope does not compile', () => {
  // @ts-expect-error: the scope is missing
  expect(administratorToRead().key.scope).toBeUndefined();
  // @ts-expect-error: no such scope
  expect(serviceKey('everything', null).key.scope).toBe('everything');
});

test('a row without a rule about its callers does not compile', () => {
  const responses = { 204: { description: 'Done.' } };
  // @ts-expect-error: `caller` is missing
  serveRow({ method: 'get', path: '/v1/x', operationId: 'x', tags: [], summary: 'x', responses }, ({ c }) =>
    c.body(null, 204),
  );
});

test('every endpoint is alone in the file that its method and path name, and in the list', async () => {
  const root = new URL('../../src/http/', import.meta.url);
  const found: string[] = [];
  for (const file of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
    if (!/(^|\/)(get|post|patch|delete)-[^/]*\.ts$/.test(file)) continue;
    const module: Record<string, unknown> = await import(new URL(file, root).href);
    const endpoints = Object.values(module).filter(
      (one): one is Endpoint => typeof one === 'object' && one !== null && 'row' in one && 'answer' in one,
    );
    expect([file, endpoints.length]).toEqual([file, 1]);
    for (const { row } of endpoints) {
      const words = [row.method, ...row.path.split(/[^a-z]+/)].filter((word) => word !== '');
      // The folder holds the rest of the path.
      const name = file.split('/').at(-1)?.replace('.ts', '').split('-') ?? [];
      expect([file, [row.method, ...words.slice(words.length - name.length + 1)]]).toEqual([file, name]);
      found.push(`${row.method} ${row.path}`);
    }
  }
  expect(found.sort()).toEqual(ROWS.map(({ method, path }) => `${method} ${path}`).sort());
  expect(new Set(FAMILIES.map(({ name }) => name)).size).toBe(FAMILIES.length);
});

test('every endpoint has a unique name of a verb and a noun', () => {
  for (const { name } of ROWS) expect(name).toMatch(/^[a-z]+([A-Z][a-z]*)+$/);
  expect(new Set(ROWS.map(({ name }) => name)).size).toBe(ROWS.length);
});
