/** What the log says when an authority refuses, and what a verifier does when time stands still. The authority is a script. */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  encodeNodeMessage,
  FEED_CLOSED,
  FEED_VERSION,
  type NodeMessage,
} from '@curfew/protocol/feed-messages';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { openHandClock, passSteadily, passUntil, passWhile } from '../../server/test/services/hand-clock.ts';
import { createGuard } from '../src/guard.ts';
import type { Verifier } from '../src/index.ts';
import { createVerifierBy } from '../src/feed-verifier.ts';
import { AUDIENCE, ISSUER } from './signed-tokens.ts';

const LEASE_MS = 5000;
const OPAQUE = `sess_${'E'.repeat(43)}`;
const FACTS = {
  sid: crypto.randomUUID(),
  sub: '2',
  client_id: 'default',
  device_id: 'd',
  born: 1,
  role: 'user',
};

let server: Server;
let clock: ReturnType<typeof openHandClock>;
let verifier: Verifier;
let said: { level: string; message: string; details: Record<string, unknown> | undefined }[];
/** The answer to a question, and what happens to a new feed. */
let onQuestion: RequestListener;
let onFeed: (socket: WebSocket) => void;
let feeds: WebSocket[];
let mayOpen: Promise<void>;
/** What the node says of the key. */
let audience: string | undefined;

const welcome = (socket: WebSocket): void => {
  const send = (message: NodeMessage): void => socket.send(encodeNodeMessage(message));
  socket.on('message', (data) => {
    const message = JSON.parse((data as Buffer).toString()) as { t: string; n: number };
    if (message.t === 'hello') {
      const terms = {
        lease: LEASE_MS,
        keep: 360_000,
        tokenLife: 300_000,
        issuer: ISSUER,
        ...(audience !== undefined && { audience }),
      };
      send({ t: 'welcome', v: FEED_VERSION, node: 'n', ...terms });
      send({ t: 'snapshot', seq: 0, parts: 0 });
    }
    if (message.t === 'renew') send({ t: 'renewed', n: message.n, age: 0, seq: 0, now: clock.wallMs });
  });
};
const answerActive: RequestListener = (_req, res) => {
  const [exp, iat] = [clock.wallMs / 1000 + 3600, clock.wallMs / 1000];
  res.end(JSON.stringify({ active: true, ...FACTS, exp, iat, iss: ISSUER, aud: AUDIENCE }));
};

beforeEach(async () => {
  [clock, said, feeds, onFeed, onQuestion] = [openHandClock(), [], [], welcome, answerActive];
  [mayOpen, audience] = [Promise.resolve(), undefined];
  server = createServer((req, res) => onQuestion(req, res));
  const verifyClient = (_: unknown, answer: (admitted: boolean) => void): unknown =>
    mayOpen.then(() => answer(true));
  new WebSocketServer({ server, verifyClient }).on('connection', (socket) => {
    feeds.push(socket);
    onFeed(socket);
  });
  // Only the verifier closes its connections.
  server.keepAliveTimeout = 600_000;
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
});
afterEach(async () => {
  await verifier.close();
  server.closeAllConnections();
  await new Promise((over) => server.close(over));
});

/** @param own the audience of the options; null: it is learnt */
function connect(own: string | null = AUDIENCE): void {
  verifier = createVerifierBy(clock, {
    authority: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    serviceKey: 'key',
    ...(own !== null && { audience: own }),
    log: (level, message, details) => void said.push({ level, message, details }),
  });
}
const becomes = (state: 'fresh' | 'stale'): Promise<void> =>
  passUntil(clock, `it is ${state}`, () => verifier.freshness.state === state);

test.each([
  [FEED_CLOSED.restart, 'the node is restarting'],
  [FEED_CLOSED.revoked, 'the key is revoked or expired: give this back end another one'],
  [FEED_CLOSED.version, 'authority and verifier speak different versions of the feed: update one of them'],
  [FEED_CLOSED.protocol, 'closed with 4400'],
])('a feed that is closed with %i: %s', async (code, why) => {
  let closed = 0;
  onFeed = (socket) => {
    // The same again is not said again.
    if (++closed === 3) onFeed = welcome;
    socket.close(code);
  };
  connect();
  await becomes('fresh');
  expect(said).toEqual([
    { level: 'warn', message: `no connection to the authority: ${why}`, details: undefined },
    { level: 'info', message: 'reconnected to the authority', details: { node: 'n' } },
  ]);
});

test.each<[string, string, RequestListener]>([
  [
    'a refused key',
    'the authority answered 401 (is the key live? curfew api-keys list)',
    (_req, res) => res.writeHead(401).end(),
  ],
  [
    'a refused key, again and again',
    'the authority answered 429 (is the key live? curfew api-keys list)',
    (_req, res) => res.writeHead(429).end(),
  ],
  ['a fault', 'the authority answered 500', (_req, res) => res.writeHead(500).end()],
  [
    'an endless answer',
    'the answer of the authority is too long',
    (_req, res) => res.end('x'.repeat(100_000)),
  ],
])('a question that is answered by %s', async (_name, why, listener) => {
  onQuestion = listener;
  connect();
  await becomes('fresh');
  for (let i = 0; i < 2; i++)
    expect(await verifier.verify(OPAQUE)).toEqual({ ok: false, reason: 'unavailable' });
  expect(said).toMatchObject([
    {
      level: 'warn',
      message: 'the authority cannot be reached: checks that need it are refused',
      details: { error: { message: why } },
    },
  ]);
});

test('an endless answer is broken off', async () => {
  let open = 0;
  onQuestion = (_req, res) => {
    open++;
    res.once('close', () => open--);
    const more = (): void => void (res.destroyed || res.write('x'.repeat(10_000), () => setImmediate(more)));
    more();
  };
  connect();
  expect(await verifier.verify(OPAQUE)).toEqual({ ok: false, reason: 'unavailable' });
  await expect.poll(() => open).toBe(0);
});

test('of connections that were kept too long, one is forgiven for each question', async () => {
  onFeed = () => undefined;
  connect();
  const held: (() => void)[] = [];
  onQuestion = (...asked) => void held.push(() => answerActive(...asked));
  const credentials = ['A', 'I', 'M'].map((letter) => `sess_${letter.repeat(43)}`);
  const checks = credentials.map((credential) => verifier.verify(credential));
  await expect.poll(() => held.length).toBe(3);
  for (const release of held) release();
  for (const check of checks) expect(await check).toMatchObject({ ok: true });
  let questions = 0;
  onQuestion = (req) => {
    questions++;
    req.socket.resetAndDestroy();
  };
  expect(await verifier.verify(OPAQUE)).toEqual({ ok: false, reason: 'unavailable' });
  expect(questions).toBe(2);
});

test.each(['monotonicMs', 'wallMs'] as const)(
  'an answer that a sleeping machine kept for a lease is void (%s)',
  async (hand) => {
    onFeed = () => undefined;
    onQuestion = (...asked) => {
      clock[hand] += LEASE_MS;
      answerActive(...asked);
    };
    connect();
    expect(await verifier.verify(OPAQUE)).toEqual({ ok: false, reason: 'unavailable' });
    onQuestion = answerActive;
    expect(await verifier.verify(OPAQUE)).toMatchObject({ ok: true, by: 'authority' });
  },
);

test('a check that may not ask is refused, too, if the verifier becomes stale while it asks', async () => {
  connect();
  await becomes('fresh');
  clock.pass(LEASE_MS / 10);
  onFeed = () => undefined;
  onQuestion = (...asked) => {
    for (const socket of feeds) socket.terminate();
    // Within the time for an answer, and a lease after the last renewal.
    clock.after(LEASE_MS - 50, () => answerActive(...asked));
  };
  const check = passWhile(clock, verifier.verify(OPAQUE, { onStale: 'refuse' }));
  expect(await check).toEqual({ ok: false, reason: 'stale' });
});

test('a connection may take its time to open, and a lost one is renewed soon, also after many', async () => {
  let admit: () => void = () => undefined;
  mayOpen = new Promise((resolve) => {
    admit = resolve;
  });
  connect();
  await passSteadily(clock, 4500);
  expect(said).toEqual([]);
  admit();
  for (let i = 0; i < 12; i++) {
    await becomes('fresh');
    const lostMs = clock.monotonicMs;
    const count = feeds.length;
    feeds.at(-1)?.terminate();
    await passUntil(clock, 'it comes again', () => feeds.length > count);
    // The pause is at most 100 ms, if the connection before worked.
    expect(clock.monotonicMs - lostMs).toBeLessThanOrEqual(200);
    await passUntil(clock, 'it is renewed', () => verifier.freshness.node === 'n');
    await passUntil(clock, 'the log says so', () => said.length === 2 * (i + 1));
  }
});

describe('close', () => {
  test('says stale once, and only of a verifier that was fresh', async () => {
    const heard: string[] = [];
    onFeed = () => undefined;
    connect();
    verifier.on('stale', () => heard.push('stale'));
    await verifier.close();
    expect(heard).toEqual([]);
    onFeed = welcome;
    connect();
    await becomes('fresh');
    verifier.on('stale', () => heard.push('stale'));
    await Promise.all([verifier.close(), verifier.close()]);
    await verifier.close();
    expect(heard).toEqual(['stale']);
  });

  test('is over when every connection is closed', async () => {
    connect();
    await becomes('fresh');
    expect(await verifier.verify(OPAQUE)).toMatchObject({ ok: true, by: 'authority' });
    await verifier.close();
    expect(feeds.map((feed) => feed.readyState)).not.toContain(1);
    const count = (): Promise<number> =>
      new Promise((resolve, reject) => {
        server.getConnections((error, open) => (error ? reject(error) : resolve(open)));
      });
    await expect.poll(count).toBe(0);
  });

  test('during the pause before the next connection: there is none', async () => {
    connect();
    await becomes('fresh');
    onFeed = (socket) => socket.terminate();
    feeds.at(-1)?.terminate();
    await passUntil(clock, 'it is said', () => said.length === 1);
    await verifier.close();
    expect(clock.patienceMs).toBe(Number.POSITIVE_INFINITY);
  });

  test('by a listener leaves nothing running', async () => {
    connect();
    await becomes('fresh');
    onFeed = () => undefined;
    let closing: Promise<void> | undefined;
    verifier.on('stale', () => {
      closing ??= verifier.close();
    });
    clock.pass(2 * LEASE_MS);
    expect(verifier.freshness.state).toBe('stale');
    await closing;
    expect(clock.patienceMs).toBe(Number.POSITIVE_INFINITY);
  });
});

test('answers for the audience before are forgotten when the authority says another one', async () => {
  audience = AUDIENCE;
  connect(null);
  await becomes('fresh');
  expect(await verifier.verify(OPAQUE)).toMatchObject({ ok: true, by: 'authority' });
  expect(await verifier.verify(OPAQUE)).toMatchObject({ ok: true, by: 'memory' });
  audience = 'https://elsewhere.example';
  feeds.at(-1)?.terminate();
  await passUntil(clock, 'it is connected again', () => said.some(({ level }) => level === 'info'));
  expect(await verifier.verify(OPAQUE)).toEqual({ ok: false, reason: 'unknown' });
});

test('a guard knows requests that change nothing, in any spelling, and its refusal says what is wrong', async () => {
  connect();
  const guard = createGuard(verifier);
  const request = {
    authorization: [],
    cookie: `curfew_session=cs_${'E'.repeat(43)}`,
    origin: 'https://elsewhere.example',
    secFetchSite: 'cross-site',
    upgrades: false,
  };
  for (const method of ['GET', 'get', 'HEAD', 'OPTIONS', 'TRACE'])
    expect(await guard({ ...request, method })).toHaveProperty('session');
  for (const method of ['POST', 'delete', '', 'CONNECT']) {
    const admission = await guard({ ...request, method });
    if (!('refusal' in admission)) throw new Error(`${method} was admitted`);
    expect(JSON.parse(admission.refusal.body)).toMatchObject({
      status: 403,
      code: 'csrf_failed',
      detail: 'Blocked: a request with the session cookie must come from this origin or a trusted one.',
    });
  }
});
