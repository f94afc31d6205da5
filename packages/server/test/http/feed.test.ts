import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { FEED_CLOSED } from '@curfew/protocol/feed-messages';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { openHandClock, passUntil, passWhile, timeOf } from '../services/hand-clock.ts';
import {
  callerOf,
  ISSUER,
  openAuthority,
  reopenAuthority,
  routeBackend,
  SERVICE_KEY,
  type TestAuthority,
} from '../support.ts';
import { described } from './described.ts';
import { follow, headers, logIn, startNode } from './following.ts';

/** The status of a connection that is not upgraded, or the close code of one that is closed. */
function refusal(url: string, options: object = { headers }, first?: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const ws = new WebSocket(url, options);
    ws.on('unexpected-response', (_request, response) => {
      resolve(response.statusCode ?? 0);
      ws.terminate();
    });
    ws.on('open', () => first !== undefined && ws.send(first));
    ws.on('close', resolve);
    ws.on('error', reject);
  });
}

/** The first line of the answer to a request for a WebSocket at any address. */
function rawUpgrade(url: string, target: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () =>
      socket.write(
        `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
      ),
    );
    socket.once('data', (data: Buffer) => {
      resolve(data.toString().split('\r\n', 1)[0] ?? '');
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

/** Asks for a WebSocket that it gets not, and keeps its own half open after the answer, as a socket may. */
async function closesHalfOpen(url: string): Promise<boolean> {
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', allowHalfOpen: true });
  let gone = false;
  // A write to a connection that is closed at the other end is answered with a reset.
  socket.on('error', () => (gone = true));
  socket.write('GET /v1/feed HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  socket.resume();
  await new Promise((resolve) => socket.once('end', resolve));
  for (let i = 0; i < 100 && !gone; i++) {
    socket.write('x');
    await sleep(20);
  }
  socket.destroy();
  return gone;
}

const clock = openHandClock();
const byHand = { system: timeOf(clock) };
const open = (): Promise<TestAuthority> => openAuthority(routeBackend(), {}, byHand);
const eventually = (what: string, yes: () => boolean | Promise<boolean>): Promise<void> =>
  passUntil(clock, what, yes);

describe('the feed', () => {
  test('closes a refused connection, whatever the other end does', async () => {
    const { url } = await startNode(await openAuthority(routeBackend()));
    expect(await closesHalfOpen(url)).toBe(true);
  });

  test('refuses a missing service key, another path, and an invalid message', async () => {
    const { url } = await startNode(await openAuthority(routeBackend()));
    expect(await refusal(url, {})).toBe(401);
    expect(await refusal(url, { headers: { authorization: `Bearer ${SERVICE_KEY}x` } })).toBe(401);
    expect(await refusal(`${url}s`)).toBe(404);
    // An invalid address must not end the process.
    expect(await rawUpgrade(url, '//')).toBe('HTTP/1.1 404 Not Found');
    expect(await rawUpgrade(url, 'http://[')).toBe('HTTP/1.1 400 Bad Request');
    expect(await refusal(url, undefined, 'what?')).toBe(FEED_CLOSED.protocol);
    expect(await refusal(url, undefined, '{"t":"ack","seq":1}')).toBe(FEED_CLOSED.protocol);
    expect(await refusal(url, undefined, '{"t":"hello","v":99,"replica":"x"}')).toBe(FEED_CLOSED.version);
  });

  test.each([
    ['1', '{"t":"hello","v":1,"replica":"x"}', { v: 1 }, [2]],
    ['2', '{"t":"hello","v":1,"newest":2,"replica":"x"}', { v: 2 }, ['2']],
  ] as const)('speaks version %s to a verifier that says so', async (_version, hello, terms, changed) => {
    const { on, url } = await startNode(await openAuthority(routeBackend()));
    const ws = new WebSocket(url, { headers });
    const heard: Record<string, unknown>[] = [];
    ws.on('message', (data, isBinary) => {
      if (!isBinary) heard.push(JSON.parse((data as Buffer).toString()) as Record<string, unknown>);
    });
    await once(ws, 'open');
    ws.send(hello);
    const message = (type: string) => heard.find(({ t }) => t === type);
    await expect.poll(() => message('snapshot')).toBeDefined();
    expect(message('welcome')).toMatchObject({
      ...terms,
      lease: 1000,
      issuer: ISSUER,
      audiences: [ISSUER],
      cookies: ['curfew_session'],
    });
    await on.call('PATCH', '/v1/admin/users/2', { bearer: SERVICE_KEY, body: { name: 'Another' } });
    await expect.poll(() => message('ending')).toMatchObject({ changed });
    ws.close();
  });

  test('answers a request without an upgrade with 426, after authentication', async () => {
    const { on, url } = await startNode(await openAuthority(routeBackend()));
    const call = described(callerOf((asked) => fetch(asked), url.replace('ws:', 'http:')));
    const { bearer } = await logIn(on);
    for (const options of [{}, { bearer: `${SERVICE_KEY}x` }, { bearer }]) {
      const refused = await call('GET', '/v1/feed', options);
      expect([refused.status, refused.json.code]).toEqual([401, 'not_authenticated']);
      expect(refused.headers.get('www-authenticate')).toBe('Bearer');
    }
    const { status, json, headers: said } = await call('GET', '/v1/feed', { bearer: SERVICE_KEY });
    expect([status, json.code]).toEqual([426, 'upgrade_required']);
    expect([said.get('upgrade'), said.get('connection')]).toEqual(['websocket', 'Upgrade']);
    expect((await call('POST', '/v1/feed', { bearer: SERVICE_KEY })).headers.get('allow')).toBe('GET');
  });

  test('gives a verifier all earlier endings, and a logout waits for it', async () => {
    const node = await startNode(await open(), { clock });
    const [before, one, two] = [await logIn(node.on), await logIn(node.on), await logIn(node.on)];
    await node.on.call('POST', '/v1/logout', { bearer: before.bearer });
    const { subscriber, heard } = follow(node.url, clock);
    await eventually('the verifier is fresh', () => subscriber.isFresh());
    expect([before, one, two].map(({ seen }) => subscriber.judge(seen))).toEqual(['ended', 'alive', 'alive']);
    expect(heard.some((message) => message.t === 'keys' && message.keys.length > 0)).toBe(true);

    const { json } = await node.on.call('POST', '/v1/logout', { bearer: one.bearer });
    expect(subscriber.judge(one.seen)).toBe('ended');
    expect(subscriber.judge(two.seen)).toBe('alive');
    expect(json).toMatchObject({ ended: 1, confirmed: true, acknowledged: 1, waited_out: 0 });
    // For its word alone: no time has passed.
    expect(json.ms).toBe(0);

    const everybody = await node.on.call('POST', '/v1/logout', {
      bearer: two.bearer,
      body: { scope: 'all' },
    });
    expect(everybody.json).toMatchObject({ confirmed: true, acknowledged: 1 });
    expect(subscriber.judge(two.seen)).toBe('ended');
  });

  test('a stopping node closes it with its code, and another node has all earlier endings', async () => {
    const first = await startNode(await open(), { clock });
    const [ended, alive] = [await logIn(first.on), await logIn(first.on)];
    await first.on.call('POST', '/v1/logout', { bearer: ended.bearer });
    const left = follow(first.url, clock);
    await eventually('the verifier is fresh', () => left.subscriber.isFresh());
    const closed = once(left.ws, 'close');
    first.on.authority.hangUp();
    expect((await closed)[0]).toBe(FEED_CLOSED.restart);
    await first.close();

    const second = await startNode(await reopenAuthority(first.on.settings, byHand), { clock });
    const { subscriber } = follow(second.url, clock);
    await eventually('the verifier is fresh', () => subscriber.isFresh());
    expect([ended, alive].map(({ seen }) => subscriber.judge(seen))).toEqual(['ended', 'alive']);
  });

  test('a silent verifier is waited out, and its lease has expired by then', async () => {
    const node = await startNode(await open(), { clock });
    const one = await logIn(node.on);
    const { subscriber, mute } = follow(node.url, clock);
    await eventually('the verifier is fresh', () => subscriber.isFresh());
    mute();
    const { json } = await passWhile(clock, node.on.call('POST', '/v1/logout', { bearer: one.bearer }));
    expect(subscriber.judge(one.seen)).toBe('unsure');
    expect(json).toMatchObject({ ended: 1, confirmed: true, acknowledged: 0, waited_out: 1 });
  });

  test('a disconnected verifier is waited out once, and not at all after that', async () => {
    const node = await startNode(await open(), { clock });
    const [one, two] = [await logIn(node.on), await logIn(node.on)];
    const { subscriber, ws } = follow(node.url, clock);
    await eventually('the verifier is fresh', () => subscriber.isFresh());
    ws.terminate();
    const first = await passWhile(clock, node.on.call('POST', '/v1/logout', { bearer: one.bearer }));
    expect(first.json).toMatchObject({ confirmed: true, acknowledged: 0 });
    expect(['ended', 'unsure']).toContain(subscriber.judge(one.seen));
    await eventually('its lease is over', () => !subscriber.isFresh());
    clock.pass(100);
    const second = await node.on.call('POST', '/v1/logout', { bearer: two.bearer });
    expect(second.json).toMatchObject({ confirmed: true, acknowledged: 0, waited_out: 0 });
  });

  test('a use at a verifier counts as activity of the session', async () => {
    const node = await startNode(await open(), { clock });
    const one = await logIn(node.on);
    const { subscriber, ws } = follow(node.url, clock);
    await eventually('the verifier is fresh', () => subscriber.isFresh());
    const seenAt = async (): Promise<string> =>
      // Not by its own token, which would use it.
      (await node.on.call('GET', '/v1/admin/sessions?user_id=2', { bearer: SERVICE_KEY })).json.sessions.find(
        (session: { id: string }) => session.id === one.sid,
      ).last_seen_at;
    const before = await seenAt();
    // Activity is shown to the minute.
    clock.sleep(60_000);
    ws.send(
      JSON.stringify({
        t: 'used',
        sessions: [
          [one.sid, 0],
          ['no session', 0],
        ],
      }),
    );
    await eventually('the use is written', async () => (await seenAt()) > before);
  });
});
