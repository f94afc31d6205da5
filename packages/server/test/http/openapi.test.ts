/** The description of the API: OpenAPI 3.1, whole, with examples that are true, and a page that loads nothing from elsewhere. */
import { existsSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Endpoint } from '../../src/http/contract/family.ts';
import { createRouter, serveFamilies } from '../../src/http/contract/serve-families.ts';
import { V1 } from '../../src/http/v1/family.ts';
import { type AnyJson, openAuthority, routeBackend, type TestAuthority } from '../support.ts';
import { ROWS } from './described.ts';

let on: TestAuthority;
let api: AnyJson;
beforeAll(async () => {
  on = await openAuthority(routeBackend());
  const { status, json, headers } = await on.call('GET', '/openapi.json');
  expect([status, headers.get('content-type')]).toEqual([200, 'application/json']);
  api = json;
});
afterAll(() => on.close());

const METHODS = ['get', 'post', 'patch', 'delete'];
const operations = (): [string, AnyJson][] =>
  Object.entries<AnyJson>(api.paths).flatMap(([path, item]) =>
    Object.entries<AnyJson>(item).map(([method, operation]): [string, AnyJson] => [
      `${method.toUpperCase()} ${path}`,
      operation,
    ]),
  );

test('the document is OpenAPI 3.1 and names this server', () => {
  expect(api.openapi).toBe('3.1.0');
  expect(api.info).toMatchObject({
    title: 'Curfew',
    version: expect.any(String),
    license: { name: 'Apache-2.0' },
  });
  expect(api.servers[0].url).toBe('/');
  expect(Object.keys(api).sort()).toEqual(
    ['components', 'info', 'openapi', 'paths', 'servers', 'tags', 'webhooks'].filter((name) => name in api),
  );
});

test('every address of a row is an operation, and every operation has a row', () => {
  const addresses = new Set(ROWS.map((row) => `${row.method.toUpperCase()} ${row.path}`));
  expect(
    operations()
      .map(([name]) => name)
      .sort(),
  ).toEqual([...addresses].sort());
  expect(ROWS.length).toBeGreaterThan(30);
});

test('every operation is complete', () => {
  const tags = api.tags.map((tag: { name: string }) => tag.name);
  const schemes = Object.keys(api.components.securitySchemes);
  for (const [name, operation] of operations()) {
    const [method = '', path = ''] = name.split(' ');
    expect(METHODS, name).toContain(method.toLowerCase());
    expect(operation.summary, name).toMatch(/\S/);
    for (const tag of operation.tags) expect(tags, name).toContain(tag);
    for (const requirement of operation.security ?? [])
      for (const [scheme, scopes] of Object.entries(requirement)) {
        expect(schemes, name).toContain(scheme);
        expect(scopes).toEqual([]);
      }
    // The parameters of the path are exactly those in its template, required, with a schema and an example.
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
    const parameters: AnyJson[] = operation.parameters ?? [];
    expect(
      parameters.filter((one) => one.in === 'path').map((one) => one.name),
      name,
    ).toEqual(inPath);
    for (const one of parameters) {
      expect(['path', 'query', 'header', 'cookie'], name).toContain(one.in);
      expect(one.schema ?? one.content, `${name} ${one.name}`).toBeTypeOf('object');
      if (one.in === 'path') expect(one.required, name).toBe(true);
    }
    if (operation.requestBody) {
      const content = (operation.requestBody.content['application/json'] ??
        operation.requestBody.content['application/x-www-form-urlencoded']) as AnyJson;
      expect(content.schema, name).toBeTypeOf('object');
      expect(content.example, name).toBeTypeOf('object');
    }
    const statuses = Object.keys(operation.responses);
    // A WebSocket's row succeeds by the upgrade, and says how to ask for it.
    const webSocket = statuses.includes('101');
    expect(
      statuses.some((status) => (webSocket ? status === '426' : status.startsWith('2'))),
      name,
    ).toBe(true);
    for (const [status, response] of Object.entries<AnyJson>(operation.responses)) {
      expect(status, name).toMatch(webSocket ? /^(101|[45]\d\d)$/ : /^[2-5]\d\d$/);
      expect(response.description, `${name} ${status}`).toMatch(/\S/);
      for (const [type, content] of Object.entries<AnyJson>(response.content ?? {})) {
        expect(content.schema, `${name} ${status} ${type}`).toBeTypeOf('object');
        expect(
          'example' in content || Object.keys(content.examples ?? {}).length > 0,
          `${name} ${status} ${type}`,
        ).toBe(true);
      }
    }
    // The answers of every request, and of those with a session.
    const failing = statuses.filter((status) => status.startsWith('5'));
    const asksNoDatabase = [
      '/healthz',
      '/openapi.json',
      '/.well-known/jwks.json',
      '/.well-known/oauth-authorization-server',
      '/metrics',
      '/v1/feed',
    ];
    if (!path.startsWith('/docs') && !asksNoDatabase.includes(path))
      expect(failing.length, name).toBeGreaterThan(0);
    if (operation.security && path !== '/metrics') expect(statuses, name).toContain('401');
    if (operation.requestBody) expect(statuses, name).toContain('413');
  }
});

test('every reference resolves, and operation ids are unique', () => {
  const references: string[] = [];
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      if (key === '$ref') references.push(String(inner));
      walk(inner);
    }
  };
  walk(api);
  expect(references.length).toBeGreaterThan(20);
  for (const reference of new Set(references)) {
    expect(reference).toMatch(/^#\//);
    const found = reference
      .slice(2)
      .split('/')
      .reduce<AnyJson>((at, key) => at?.[key], api);
    expect(found, reference).toBeTypeOf('object');
  }
  // 3.0's spellings mean nothing in 3.1.
  expect(JSON.stringify(api.components.schemas)).not.toMatch(/"nullable":|"exclusiveMinimum":true/);
});

test('an address that two families share is one operation, with the callers, inputs and answers of both', () => {
  const login = api.paths['/auth/login'].post;
  expect(login.tags).toEqual(['Contract 001: envelope', 'Contract 004: cookie']);
  const [bearer, cookie] = login.requestBody.content['application/json'].schema.oneOf;
  expect([bearer.properties.transport.enum, bearer.required]).toEqual([['bearer'], ['email', 'password']]);
  expect([cookie.properties.transport.enum, cookie.required]).toEqual([
    ['cookie'],
    ['email', 'password', 'transport'],
  ]);
  // One answer of both is described once.
  expect(login.responses[401].content['application/json'].example.code).toBe('INVALID_CREDENTIALS');

  const logout = api.paths['/auth/logout'].post;
  expect(logout.security).toEqual([{ bearer: [] }, { cookie: [] }]);
  expect(logout.parameters.map((one: { name: string }) => one.name)).toEqual(['scope']);
  const { schema, examples } = logout.responses[200].content['application/json'];
  expect(schema.anyOf).toHaveLength(2);
  expect(Object.keys(examples)).toEqual(['envelopeLogOut', 'cookieLogOut']);
});

test('two rows of one address, of which neither says what it answers only, are an error', () => {
  const [row] = V1.endpoints as [Endpoint];
  expect(() => serveFamilies(createRouter(), [V1, { ...V1, endpoints: [row] }])).toThrow(
    'post /v1/login: exactly one of its rows must be without answersOnly',
  );
});

test('every example matches its own schema', () => {
  let count = 0;
  for (const row of ROWS) {
    for (const [status, response] of Object.entries(row.responses)) {
      for (const [type, content] of Object.entries(response.content ?? {})) {
        if (!type.endsWith('json')) continue;
        const examples = [
          content.example,
          ...Object.values(content.examples ?? {}).map((one) => one.value),
        ].filter((one) => one !== undefined);
        for (const example of examples) {
          count++;
          expect([row.path, status, content.schema.safeParse(example).error?.message]).toEqual([
            row.path,
            status,
            undefined,
          ]);
        }
      }
    }
  }
  expect(count).toBeGreaterThan(100);
});

test('an example of a request can be sent as it stands', async () => {
  const login = ROWS.filter((row) => row.path.endsWith('/login'));
  expect(login.length).toBeGreaterThanOrEqual(4);
  for (const row of login) {
    const body = row.request?.body?.content['application/json']?.example;
    expect([row.path, (await on.call('POST', row.path, { body })).status]).toEqual([row.path, 200]);
  }
});

describe('the page', () => {
  test('loads only from this server', async () => {
    const { status, text, headers } = await on.call('GET', '/docs');
    expect([status, headers.get('content-type')]).toEqual([200, 'text/html; charset=UTF-8']);
    const addresses = [...text.matchAll(/(?:src|href|action|data|poster)\s*=\s*["']?([^"'\s>]+)/gi)].map(
      (match) => match[1] ?? '',
    );
    expect(addresses.length).toBeGreaterThan(2);
    for (const address of addresses) expect(address).toMatch(/^(\/(?!\/)|data:,$)/);
    expect(text).not.toMatch(/https?:|url\(|@import|<iframe|<base|<style|<script>[^<]/i);
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).toContain("connect-src 'self'");
    expect(policy).not.toMatch(/https?:|\*|unsafe-eval|script-src[^;]*unsafe-inline/);
  });

  // `npm ci` fetches them into place; a program that was installed without has the description alone.
  const assets = existsSync(new URL('../../assets/swagger-ui/swagger-ui-bundle.js', import.meta.url));
  test.runIf(assets)('every file that it loads exists', async () => {
    const { text } = await on.call('GET', '/docs');
    for (const [, address = ''] of text.matchAll(/(?:src|href)="(\/[^"]+)"/g)) {
      const { status, headers } = await on.call('GET', address);
      expect([address, status, headers.get('x-content-type-options')]).toEqual([address, 200, 'nosniff']);
      expect(headers.get('content-type')).toMatch(/^text\/(css|javascript); charset=utf-8$/);
    }
    const { text: start } = await on.call('GET', '/docs/start.js');
    expect(start).toContain("'/openapi.json'");
    expect(start).toContain('validatorUrl: null');
  });
});

// Anybody may request it at any rate, so the expensive part is done once.
describe('the description and the files of its page', () => {
  const assets = existsSync(new URL('../../assets/swagger-ui/swagger-ui-bundle.js', import.meta.url));
  const paths = [
    '/openapi.json',
    '/docs/start.js',
    ...(assets ? ['/docs/swagger-ui.css', '/docs/swagger-ui-bundle.js'] : []),
  ];

  test.each(paths)('%s is sent from one buffer, whole, compressed, or not at all', async (path) => {
    const ask = async (headers: Record<string, string>): Promise<{ answer: Response; bytes: Buffer }> => {
      const answer = await on.authority.fetch(new Request(`http://localhost${path}`, { headers }));
      return { answer, bytes: Buffer.from(await answer.arrayBuffer()) };
    };
    const whole = await ask({});
    const etag = whole.answer.headers.get('etag') ?? '';
    expect(etag).toMatch(/^"[\w-]{22}"$/);
    expect(whole.answer.headers.get('cache-control')).toBe('public, no-cache');
    const zipped = await ask({ 'accept-encoding': 'gzip, br' });
    expect(zipped.answer.headers.get('content-encoding')).toBe('gzip');
    expect(gunzipSync(zipped.bytes).equals(whole.bytes)).toBe(true);
    const unchanged = await ask({ 'if-none-match': etag });
    expect([unchanged.answer.status, unchanged.bytes.length]).toEqual([304, 0]);
    expect(unchanged.answer.headers.get('etag')).toBe(etag);
    expect((await ask({ 'if-none-match': '"other"' })).answer.status).toBe(200);
  });

  test('the description is written once', async () => {
    const stringify = vi.spyOn(JSON, 'stringify');
    const parts = vi.spyOn(Object, 'entries');
    for (let i = 0; i < 3; i++) await on.call('GET', '/openapi.json');
    const texts = stringify.mock.results.map(({ value }) => String(value).length);
    const looks = parts.mock.calls.length;
    vi.restoreAllMocks();
    expect(texts.filter((length) => length > 10_000)).toEqual([]);
    expect(looks).toBeLessThan(50);
  });
});
