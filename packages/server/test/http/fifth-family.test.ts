/** A fifth family with its own format: its folder and a line in the list are enough. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from '@hono/zod-openapi';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { logIn } from '../../src/actions/log-in.ts';
import { logOut } from '../../src/actions/log-out.ts';
import { refresh } from '../../src/actions/refresh.ts';
import { inTurn, logInThrough } from '../../src/cli/prove/logins.ts';
import { Requests } from '../../src/cli/prove/requests.ts';
import { HEADER_LOOKED_AT, NOBODY } from '../../src/domain/caller-rule.ts';
import { createApp } from '../../src/http/app.ts';
import type { Family } from '../../src/http/contract/family.ts';
import { body, json } from '../../src/http/contract/row.ts';
import { serveRow } from '../../src/http/contract/serve-row.ts';
import { FAMILIES } from '../../src/http/families.ts';
import { createNodeListener } from '../../src/http/node-http/listener.ts';
import { bearerTokens } from '../../src/http/contracts/issued-tokens.ts';
import { openPlace, type Place } from '../races/node.ts';
import { type Caller, callerOf, routeBackend } from '../support.ts';

/* The content of the family's folder. Its errors are a word, and always 418. */

const keys = z.object({ key: z.string(), next: z.string() });
const KEYS = { key: '1|…', next: 'rt_…' };
const responses = { 200: json('In.', keys, KEYS), 418: json('No.', z.string(), 'no') };
const keysOf = (tokens: Parameters<typeof bearerTokens>[0]) => {
  const { access_token: key, refresh_token: next } = bearerTokens(tokens);
  return { key, next };
};

const postIn = serveRow(
  {
    method: 'post',
    path: '/hatch/in',
    operationId: 'hatchLogIn',
    tags: ['Hatch'],
    summary: 'Log in',
    caller: NOBODY,
    request: {
      body: body(z.object({ who: z.email(), word: z.string() }), { who: 'a@b.example', word: 'x' }),
    },
    responses,
  },
  async ({ c, world, family, input: { body: asked }, context }) => {
    const { name: contract, grant, client: clientId } = family;
    const login = { email: asked.who, password: asked.word, contract, grant, clientId, device: {} };
    const started = await logIn(world, login, context());
    return started.outcome === 'started' ? c.json(keysOf(started.tokens)) : c.json('no', 418);
  },
);
const postAgain = serveRow(
  {
    method: 'post',
    path: '/hatch/again',
    operationId: 'hatchRefresh',
    tags: ['Hatch'],
    summary: 'Refresh',
    caller: NOBODY,
    request: { body: body(z.object({ next: z.string() }), { next: 'rt_…' }) },
    responses,
  },
  async ({ c, world, input, context }) => {
    const refreshed = await refresh(world, input.body.next, context());
    return refreshed ? c.json(keysOf(refreshed.tokens)) : c.json('no', 418);
  },
);
const postOut = serveRow(
  {
    method: 'post',
    path: '/hatch/out',
    operationId: 'hatchLogOut',
    tags: ['Hatch'],
    summary: 'Log out',
    caller: HEADER_LOOKED_AT,
    responses: { ...responses, 200: json('Out.', z.string(), 'out') },
  },
  async ({ c, world, caller: { session }, context }) => {
    await logOut(world, session, { scope: 'this' }, context());
    return c.json('out');
  },
);
const HATCH: Family = {
  name: 'hatch',
  grant: 'opaque',
  client: 'default',
  tag: 'Hatch',
  endpoints: [postIn, postAgain, postOut],
  onFault: (c, fault) => c.json(typeof fault === 'object' ? `no ${fault.field}` : 'no', 418),
  trial: {
    name: 'hatch',
    via: 'bearer',
    endsAll: false,
    logIn: ({ email: who, password: word }) => ({ path: '/hatch/in', body: { who, word } }),
    credential: ({ key: text }: z.output<typeof keys>) => ({ text }),
    logOut: () => ({ path: '/hatch/out' }),
  },
};

let place: Place;
let call: Caller;
let server: Server;
let url: string;
beforeAll(async () => {
  place = await openPlace(routeBackend());
  const node = place.at(0);
  const app = createApp(node.world, node.metrics, undefined, node.requests, [...FAMILIES, HATCH]);
  const fetch = async (request: Request, connection = {}): Promise<Response> =>
    app.fetch(request, connection);
  call = callerOf(fetch);
  server = createServer(createNodeListener(fetch, () => false));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await place.close();
});

const word = 'secret';

test('its sessions have the credentials of its grant, also after a refresh and on another node, and the log names it', async () => {
  const { id, email: who } = await place.user();
  const first = await call('POST', '/hatch/in', { body: { who, word } });
  expect([first.status, first.json.key]).toEqual([200, expect.stringMatching(/^\d+\|/)]);
  const second = await call('POST', '/hatch/again', { body: { next: first.json.next } });
  expect([second.status, second.json.key]).toEqual([200, expect.stringMatching(/^\d+\|/)]);
  // A node that does not serve the family refreshes its sessions by their grant.
  const third = await place.at(1).call('POST', '/v1/refresh', { body: { refresh_token: second.json.next } });
  expect([third.status, third.json.access_token]).toEqual([200, expect.stringMatching(/^\d+\|/)]);
  const bearer = third.json.access_token;
  expect((await call('GET', '/v1/session', { bearer })).json.user.id).toBe(id);
  expect(await place.rows('select contract, granted from user_sessions where user_id = $1', id)).toEqual([
    { contract: 'hatch', granted: 'opaque' },
  ]);
  expect((await call('POST', '/hatch/out', { bearer })).json).toBe('out');
  expect((await call('GET', '/v1/session', { bearer })).status).toBe(401);
});

test('its faults are rendered in its own format', async () => {
  const said = async (path: string, options: object) => {
    const { status, json: answer } = await call('POST', path, options);
    return [status, answer];
  };
  expect(await said('/hatch/out', {})).toEqual([418, 'no']);
  expect(await said('/hatch/out', { bearer: 'made up' })).toEqual([418, 'no']);
  expect(await said('/hatch/in', { body: { who: 'x', word } })).toEqual([418, 'no who']);
  expect(await said('/hatch/in', { body: { who: 'x@y.example', word: 'x'.repeat(70_000) } })).toEqual([
    418,
    'no',
  ]);
});

test('the description has its rows, with who may call', async () => {
  const { json: api } = await call('GET', '/openapi.json');
  expect(api.paths['/hatch/out'].post.security).toEqual([{ bearer: [] }]);
  expect(api.paths['/hatch/in'].post.security).toBe(undefined);
  expect(api.tags.map(({ name }: { name: string }) => name)).toContain('Hatch');
});

test('curfew prove tries it among the others', async () => {
  const { id, email } = await place.user();
  const order = inTurn([...FAMILIES, HATCH], 0).map(({ trial }) => trial.name);
  const those = (endsAll: boolean) =>
    FAMILIES.map(({ trial }) => trial).filter((one) => one.endsAll === endsAll);
  const [last, ...ending] = those(true).map(({ name }) => name);
  expect(order).toEqual([...those(false).map(({ name }) => name), 'hatch', ...ending, last]);
  const requests = new Requests();
  try {
    const held = await logInThrough(requests, url, HATCH, { id, email, password: word }, url);
    const check = () => requests.send('GET', new URL('/v1/check', url), held.headers);
    expect((await check()).status).toBe(200);
    expect((await held.logOut()).status).toBe(200);
    expect((await check()).status).toBe(401);
  } finally {
    requests.close();
  }
});

test('a session from before grants were stored has that of its contract', async () => {
  const { email } = await place.user();
  const login = { body: { email, password: word } };
  const { json: token } = await call('POST', '/api/v1/auth/login', login);
  const { json: envelope } = await call('POST', '/auth/login', login);
  await place.rows('update user_sessions set granted = null');
  const again = async (path: string, refresh_token: string) =>
    (await call('POST', path, { body: { refresh_token } })).json;
  expect((await again('/api/v1/auth/refresh', token.refresh_token)).access_token).toMatch(/^\d+\|/);
  expect((await again('/auth/refresh', envelope.data.refresh_token)).data.access_token).toMatch(/^eyJ/);
});
