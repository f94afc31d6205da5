/** Messages that the real node sends rarely or never: the feed as a script, over a real WebSocket. */
import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK } from 'jose';
import {
  encodeNodeMessage,
  FEED_VERSION,
  type NodeMessage,
  type VerifierMessage,
} from '@curfew/protocol/feed-messages';
import { type WebSocket, WebSocketServer } from 'ws';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createVerifier, type Verifier } from '../src/index.ts';
import { AUDIENCE, ISSUER, type Key, makeKey, makeToken, nowSeconds } from './signed-tokens.ts';

const terms = {
  v: FEED_VERSION,
  node: 'n',
  lease: 5000,
  keep: 360_000,
  tokenLife: 300_000,
  issuer: ISSUER,
} as const;

let server: Server;
let verifier: Verifier;
let asked: number;
let answer: object;
let connections: WebSocket[];
let heard: VerifierMessage[];
let said: string[];
/** The messages after a verifier's hello. */
let greeting: (NodeMessage | string)[];
let key: Key;

const send = (...messages: (NodeMessage | string)[]): void => {
  for (const one of messages)
    connections.at(-1)?.send(typeof one === 'string' ? one : encodeNodeMessage(one));
};
const keysOf = (...keys: Key[]): NodeMessage => ({ t: 'keys', keys: keys.map((one) => one.jwk) });

beforeEach(async () => {
  key ??= await makeKey('k1');
  [asked, connections, heard, said] = [0, [], [], []];
  greeting = [{ t: 'welcome', ...terms }, keysOf(key), { t: 'snapshot', seq: 0, parts: 0 }];
  answer = { active: false };
  server = createServer((_req, res) => {
    asked++;
    res.end(JSON.stringify(answer));
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => {
    connections.push(socket);
    socket.on('message', (data) => {
      const message = JSON.parse((data as Buffer).toString()) as VerifierMessage;
      heard.push(message);
      if (message.t === 'hello') send(...greeting);
      if (message.t === 'renew') send({ t: 'renewed', n: message.n, age: 0, seq: 0, now: Date.now() });
    });
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  verifier = createVerifier({
    authority: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    serviceKey: 'key',
    audience: AUDIENCE,
    log: (_level, message) => said.push(message),
  });
});
afterEach(async () => {
  await verifier.close();
  server.closeAllConnections();
  await new Promise((over) => server.close(over));
});

const keyCount = (count: number): Promise<void> =>
  expect.poll(() => verifier.metrics()).toContain(`curfew_verifier_keys ${count}\n`);

test('a token that lives longer than endings are remembered is asked about', async () => {
  expect(await verifier.ready()).toBe(true);
  await keyCount(1);
  expect(await verifier.verify(await makeToken(key))).toMatchObject({ ok: true, by: 'memory' });
  expect(asked).toBe(0);
  const long = await makeToken(key, { exp: nowSeconds() + 400, iat: nowSeconds() - 1 });
  expect(await verifier.verify(long)).toEqual({ ok: false, reason: 'unknown' });
  expect(asked).toBe(1);
});

test.each([
  ['another issuer', { iss: 'https://elsewhere.example' }],
  ['several audiences', { aud: [AUDIENCE] }],
  ['no subject', { sub: '' }],
  ['a subject that would reach into the key of another', { sub: '2:d' }],
  ['a tenant that is no text', { tenant: 7 }],
  ['a login that is no text', { login: {} }],
  ['a role that is no text', { role: true }],
  ['an external id that is no text', { external_id: 7 }],
  ['an issuer of the external id that is no text', { external_id: 'u-1', external_issuer: null }],
  ['no session', { sid: undefined }],
  ['a session that is no UUID', { sid: 'X' }],
  ['no device', { device_id: undefined }],
  ['an end that is no whole second', { exp: nowSeconds() + 100.5 }],
  ['a place that is no number', { born: '1' }],
])('a token with %s is refused, however well it is signed', async (_name, more) => {
  await verifier.ready();
  await keyCount(1);
  expect(await verifier.verify(await makeToken(key, more))).toEqual({ ok: false, reason: 'not_ours' });
  expect(asked).toBe(0);
});

test('a token without a role, from a node of an older version, is asked about', async () => {
  await verifier.ready();
  await keyCount(1);
  expect(await verifier.verify(await makeToken(key, { role: undefined }))).toEqual({
    ok: false,
    reason: 'unknown',
  });
  expect(asked).toBe(1);
});

test('the issuer of an external id is not guessed where a node of an older version wrote the token', async () => {
  await verifier.ready();
  await keyCount(1);
  for (const [more, externalId, externalIssuer] of [
    [{ external_id: 'u-1' }, 'u-1', null],
    [{ external_id: 'u-1', external_issuer: 'crm' }, 'u-1', 'crm'],
    [{}, null, null],
  ] as const)
    expect(await verifier.verify(await makeToken(key, more))).toMatchObject({
      ok: true,
      by: 'memory',
      session: { externalId, externalIssuer },
    });
  expect(asked).toBe(0);
  const facts = { sid: randomUUID(), sub: '2', client_id: 'default', device_id: 'd', born: 1, role: 'user' };
  const exp = nowSeconds() + 9;
  answer = { active: true, ...facts, external_id: 'u-1', exp, iss: ISSUER, aud: AUDIENCE };
  const opaque = `sess_${'A'.repeat(43)}`;
  expect(await verifier.verify(opaque)).toMatchObject({
    ok: true,
    by: 'authority',
    session: { externalId: 'u-1', externalIssuer: null },
  });
});

test('tokens of a removed key are refused', async () => {
  await verifier.ready();
  await keyCount(1);
  const token = await makeToken(key);
  expect(await verifier.verify(token)).toMatchObject({ ok: true, by: 'memory' });
  const second = await makeKey('k2');
  send(keysOf(key, second));
  await keyCount(2);
  expect(verifier.verifyNow(token)).toMatchObject({ ok: true });
  send(keysOf(second));
  await keyCount(1);
  expect(verifier.verifyNow(token)).toBeNull();
  expect(await verifier.verify(token)).toEqual({ ok: false, reason: 'unknown' });
  expect(await verifier.verify(await makeToken(second))).toMatchObject({ ok: true, by: 'memory' });
});

test('an unreadable or private key is not used', async () => {
  await verifier.ready();
  const secret = await exportJWK(key.privateKey);
  send({
    t: 'keys',
    keys: [
      key.jwk,
      { kty: 'OKP', kid: 'x', alg: 'EdDSA' },
      { ...secret, kid: 'y', alg: 'EdDSA' },
      { kid: 'z', alg: 'none' },
    ],
  });
  await expect.poll(() => said.join()).toContain('cannot be read');
  await keyCount(1);
});

test('an answer of the authority is valid for a minute', async () => {
  await verifier.ready();
  const [exp, iat] = [nowSeconds() + 3600, nowSeconds()];
  const facts = { sid: randomUUID(), sub: '2', client_id: 'default', device_id: 'd', born: 1, role: 'user' };
  const active = { active: true, ...facts, exp, iat, iss: ISSUER };
  // The answer names the credential's audience: another one, or none, is refused.
  for (const [letter, more] of [
    ['M', {}],
    ['A', { aud: 'https://elsewhere.example' }],
  ] as const) {
    answer = { ...active, ...more };
    expect(await verifier.verify(`sess_${letter.repeat(43)}`)).toEqual({ ok: false, reason: 'unknown' });
  }
  asked = 0;
  answer = { ...active, aud: AUDIENCE };
  const credential = `sess_${'E'.repeat(43)}`;
  expect(await verifier.verify(credential)).toMatchObject({ by: 'authority' });
  const now = performance.now.bind(performance);
  try {
    for (const [laterMs, questions] of [
      [0, 1],
      [58_000, 1],
      [61_000, 2],
    ] as const) {
      performance.now = () => now() + laterMs;
      await expect.poll(() => verifier.freshness.state).toBe('fresh');
      expect(await verifier.verify(credential)).toMatchObject({ ok: true });
      expect([laterMs, asked]).toEqual([laterMs, questions]);
    }
  } finally {
    performance.now = now;
  }
});

test.each([
  { what: 'that is in the same history', epoch: '2.b', questions: 1 },
  { what: 'that does not know yet that the database has gone back', epoch: '1.a', questions: 2 },
  { what: 'that is looking which history it is in', epoch: undefined, questions: 2 },
])('an answer of a node $what is asked for $questions times', async ({ epoch, questions }) => {
  greeting[0] = { t: 'welcome', ...terms, epoch: '2.b' };
  await verifier.ready();
  const facts = { sid: randomUUID(), sub: '2', client_id: 'default', device_id: 'd', born: 1, role: 'user' };
  const [exp, iat] = [nowSeconds() + 3600, nowSeconds()];
  answer = { active: true, ...facts, exp, iat, iss: ISSUER, aud: AUDIENCE, epoch };
  const credential = `sess_${'U'.repeat(43)}`;
  for (let i = 0; i < 2; i++) expect(await verifier.verify(credential)).toMatchObject({ ok: true });
  expect(asked).toBe(questions);
});

test('a refusal of the authority is remembered for a second', async () => {
  await verifier.ready();
  answer = { active: false };
  const credential = `sess_${'I'.repeat(43)}`;
  const now = performance.now.bind(performance);
  try {
    for (const [laterMs, questions] of [
      [0, 1],
      [400, 1],
      [60_000, 2],
    ] as const) {
      performance.now = () => now() + laterMs;
      expect(await verifier.verify(credential)).toEqual({ ok: false, reason: 'unknown' });
      expect([laterMs, asked]).toEqual([laterMs, questions]);
    }
  } finally {
    performance.now = now;
  }
});

test.each([
  ['no JSON', '{'],
  ['a message without a name', '{}'],
  ['a cut short ending', '{"t":"ending","seq":1}'],
  ['a session id that is none', '{"t":"ending","seq":1,"ids":["x"],"cuts":[],"changed":[]}'],
  ['a piece of ids that is none', new Uint8Array(13)],
  ['an ending too far', '{"t":"ending","seq":7,"ids":[],"cuts":[],"changed":[]}'],
])('%s: the verifier reconnects, and works on', async (_name, bad) => {
  await verifier.ready();
  connections[0]?.send(bad);
  await expect.poll(() => connections.length).toBe(2);
  expect(await verifier.ready()).toBe(true);
  await keyCount(1);
  expect(await verifier.verify(await makeToken(key))).toMatchObject({ ok: true, by: 'memory' });
});

test('without the whole snapshot memory accepts nothing', async () => {
  greeting[2] = { t: 'snapshot', seq: 0, parts: 1 };
  expect(await verifier.ready(500)).toBe(false);
  expect(await verifier.verify(await makeToken(key))).toEqual({ ok: false, reason: 'unknown' });
  expect(said.join()).toContain('a part of the snapshot is missing');
});

test('a node of version 1 is followed, by the messages that it sent then', async () => {
  // As recorded at the last commit that spoke version 1: users are numbers, and the terms name no audience and no cookie.
  const ended = '01f0c7a2-5f6e-7c3a-9d52-8f2b7c1e4a60';
  greeting = [
    `{"t":"welcome","v":1,"node":"n","lease":5000,"keep":360000,"tokenLife":300000,"issuer":"${ISSUER}","epoch":"1.5d0c2a9be1f4"}`,
    keysOf(key),
    '{"t":"cuts","cuts":[{"key":"user:9","position":5,"base":5,"exceptSession":null}]}',
    '{"t":"snapshot","seq":0,"parts":1}',
  ];
  expect(await verifier.ready()).toBe(true);
  await keyCount(1);
  // What a node of version 1 reads of the hello.
  expect(heard[0]).toMatchObject({ t: 'hello', v: 1, replica: expect.any(String) });
  expect(verifier.cookieName).toBe('curfew_session');
  const epoch = '1.5d0c2a9be1f4';
  const check = async (claims: object) => verifier.verify(await makeToken(key, { epoch, ...claims }));
  expect(await check({ sub: '9' })).toEqual({ ok: false, reason: 'ended' });
  expect(await check({})).toMatchObject({ ok: true, by: 'memory', session: { subject: '2', tenant: null } });
  send(`{"t":"ending","seq":1,"cuts":[],"ids":["${ended}"],"changed":[2]}`);
  await expect.poll(async () => (await check({ sid: ended })).ok).toBe(false);
  expect(verifier.freshness.state).toBe('fresh');
});

test('the terms of a node of version 2 name its cookie', async () => {
  greeting[0] = { t: 'welcome', ...terms, cookies: ['__Secure-shop'], audiences: [AUDIENCE] };
  expect(await verifier.ready()).toBe(true);
  expect(verifier.cookieName).toBe('__Secure-shop');
});

test('a node of another version is not followed', async () => {
  greeting[0] = { t: 'welcome', ...terms, v: FEED_VERSION + 1 };
  expect(await verifier.ready(500)).toBe(false);
  expect(verifier.freshness.state).toBe('stale');
  expect(said.join()).toContain('version');
});

test('after an outage longer than endings are remembered, callbacks run with lost', async () => {
  greeting[0] = { t: 'welcome', ...terms, lease: 200, keep: 1000 };
  await verifier.ready();
  await keyCount(1);
  await expect.poll(async () => (await verifier.verify(await makeToken(key))).ok).toBe(true);
  const verified = await verifier.verify(await makeToken(key));
  if (!verified.ok) throw new Error(verified.reason);
  const told: string[] = [];
  verifier.onEnded(verified.session, (why) => told.push(why));
  const lost = greeting;
  greeting = [];
  connections.at(-1)?.terminate();
  await new Promise((wake) => setTimeout(wake, 1300));
  expect(told).toEqual([]);
  greeting = lost;
  for (const one of connections) one.terminate();
  await expect.poll(() => told).toEqual(['lost']);
});

test('it acknowledges what it holds, and asks for renewals four times in a lease', async () => {
  await verifier.ready();
  send({ t: 'ending', seq: 1, ids: [randomUUID()], cuts: [], changed: [] });
  await expect.poll(() => heard.some((one) => one.t === 'ack' && one.seq === 1)).toBe(true);
  const renewals = (): number => heard.filter((one) => one.t === 'renew').length;
  const before = renewals();
  await expect.poll(() => renewals() - before).toBeGreaterThanOrEqual(2);
});

/** Ends the connection; the next one begins with these messages. */
async function reconnected(...messages: NodeMessage[]): Promise<void> {
  const count = connections.length + 1;
  greeting = messages;
  connections.at(-1)?.terminate();
  await expect.poll(() => connections.length).toBe(count);
  await expect.poll(() => heard.filter((one) => one.t === 'hello').length).toBe(count);
  await expect.poll(() => heard.at(-1)?.t).toBe('renew');
  await expect.poll(() => verifier.freshness.state).toBe('fresh');
}
const SNAPSHOT = { t: 'snapshot', seq: 0, parts: 0 } as const;

test('a node that keeps endings for less time revives no session from memory', async () => {
  greeting[0] = { t: 'welcome', ...terms, tokenLife: 3_600_000, keep: 3_660_000 };
  await verifier.ready();
  await keyCount(1);
  const sid = randomUUID();
  const token = await makeToken(key, { sid, exp: nowSeconds() + 3600 });
  expect(await verifier.verify(token)).toMatchObject({ ok: true, by: 'memory' });
  send({ t: 'ending', seq: 1, ids: [sid], cuts: [], changed: [] });
  await expect.poll(() => heard.some((one) => one.t === 'ack' && one.seq === 1)).toBe(true);
  // Its snapshot does not reach back to that ending.
  await reconnected({ t: 'welcome', ...terms }, keysOf(key), SNAPSHOT);
  expect(await verifier.verify(token)).toEqual({ ok: false, reason: 'unknown' });
  expect(asked).toBe(1);
});

test('an earlier role of a spared session is not taken from memory after a reconnection', async () => {
  await verifier.ready();
  await keyCount(1);
  const sid = randomUUID();
  const token = await makeToken(key, { sid, role: 'admin' });
  expect(await verifier.verify(token)).toMatchObject({ ok: true, session: { role: 'admin' } });
  await reconnected(
    { t: 'welcome', ...terms },
    keysOf(key),
    { t: 'cuts', cuts: [{ key: 'user:2', position: 5, base: 0, exceptSession: sid }] },
    { ...SNAPSHOT, parts: 1 },
  );
  expect(await verifier.verify(token)).toEqual({ ok: false, reason: 'unknown' });
  expect(asked).toBe(1);
});

test('a change of a user counts for as long as a token lives', async () => {
  await verifier.ready();
  await keyCount(1);
  const token = await makeToken(key, { role: 'admin' });
  expect(await verifier.verify(token)).toMatchObject({ ok: true });
  const change = async (subject: string): Promise<void> => {
    const before = heard.length;
    send({ t: 'ending', seq: 1, ids: [], cuts: [], changed: [subject] });
    await expect.poll(() => heard.slice(before).some((one) => one.t === 'ack')).toBe(true);
  };
  await change('2');
  const now = performance.now.bind(performance);
  try {
    performance.now = () => now() + 200_000;
    await expect.poll(() => verifier.freshness.state).toBe('fresh');
    await reconnected({ t: 'welcome', ...terms }, keysOf(key), SNAPSHOT);
    await change('3');
    expect(verifier.verifyNow(token)).toBeNull();
  } finally {
    performance.now = now;
  }
});
