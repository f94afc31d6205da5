import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { decodeNodeMessage, FEED_CLOSED, type NodeMessage } from '@curfew/protocol/feed';
import { watch } from '@curfew/protocol/replica';
import { Subscriber } from '@curfew/protocol/subscriber';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { until } from '../races/node.ts';
import { backends, openAuthority, PASSWORD, SERVICE_KEY, type TestAuthority } from '../support.ts';

interface Node {
  on: TestAuthority;
  url: string;
  close: () => Promise<void>;
}

const open: { close: () => Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function startNode(on: TestAuthority): Promise<Node> {
  const server: Server = createServer(on.authority.listener);
  server.on('upgrade', on.authority.upgrade);
  await new Promise<void>((ready) => {
    server.listen(0, '127.0.0.1', ready);
  });
  const node = {
    on,
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/v1/feed`,
    close: async () => {
      on.authority.hangUp();
      server.close();
      await on.close();
    },
  };
  open.push(node);
  return node;
}

const headers = { authorization: `Bearer ${SERVICE_KEY}` };

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

/** A verifier over a real connection, as packages/verifier has it, without its comforts. */
function follow(url: string): {
  subscriber: Subscriber;
  ws: WebSocket;
  heard: NodeMessage[];
  mute: () => void;
} {
  const heard: NodeMessage[] = [];
  const ws = new WebSocket(url, { headers });
  let muted = false;
  const subscriber = new Subscriber('a-verifier', {
    now: () => ({ monotonicMs: performance.now(), wallMs: Date.now() }),
    send: (message) => !muted && ws.readyState === ws.OPEN && ws.send(JSON.stringify(message)),
    reconnect: () => ws.terminate(),
    onEnding: () => undefined,
  });
  ws.on('open', () => subscriber.connected());
  ws.on('message', (data: Buffer, isBinary) => {
    const message = decodeNodeMessage(isBinary ? data : data.toString());
    heard.push(message);
    if (!muted) subscriber.received(message);
  });
  ws.on('error', () => undefined);
  const timer = setInterval(() => !muted && subscriber.tick(), 250);
  open.push({
    close: async () => {
      clearInterval(timer);
      ws.terminate();
    },
  });
  return { subscriber, ws, heard, mute: () => (muted = true) };
}

describe.each(backends())('the feed, %s', (backend) => {
  const logIn = async (
    on: TestAuthority,
  ): Promise<{ bearer: string; sid: string; seen: ReturnType<typeof watch> }> => {
    const { json } = await on.call('POST', '/v1/login', {
      body: { email: 'test@example.com', password: PASSWORD },
    });
    const [, payload = ''] = json.access_token.split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const { sid, sub, client_id: clientId, device_id: deviceId, born } = claims;
    return {
      bearer: json.access_token,
      sid,
      seen: watch({ sid, userId: Number(sub), clientId, deviceId, born }),
    };
  };

  test('refuses whoever has no service key, another path, and what is no message', async () => {
    const { url } = await startNode(await openAuthority(backend));
    expect(await refusal(url, {})).toBe(401);
    expect(await refusal(url, { headers: { authorization: `Bearer ${SERVICE_KEY}x` } })).toBe(401);
    expect(await refusal(`${url}s`)).toBe(404);
    // An address that is none must not end the process.
    expect(await rawUpgrade(url, '//')).toBe('HTTP/1.1 404 Not Found');
    expect(await rawUpgrade(url, 'http://[')).toBe('HTTP/1.1 404 Not Found');
    expect(await refusal(url, undefined, 'what?')).toBe(FEED_CLOSED.protocol);
    expect(await refusal(url, undefined, '{"t":"ack","seq":1}')).toBe(FEED_CLOSED.protocol);
    expect(await refusal(url, undefined, '{"t":"hello","v":99,"replica":"x"}')).toBe(FEED_CLOSED.version);
  });

  test('a verifier knows what ended before it came, and a logout waits for it', async () => {
    const node = await startNode(await openAuthority(backend));
    const [before, one, two] = [await logIn(node.on), await logIn(node.on), await logIn(node.on)];
    await node.on.call('POST', '/v1/logout', { bearer: before.bearer });
    const { subscriber, heard } = follow(node.url);
    await until('the verifier is fresh', async () => subscriber.isFresh());
    expect([before, one, two].map(({ seen }) => subscriber.judge(seen))).toEqual(['ended', 'alive', 'alive']);
    expect(heard.some((message) => message.t === 'keys' && message.keys.length > 0)).toBe(true);

    const { json } = await node.on.call('POST', '/v1/logout', { bearer: one.bearer });
    expect(subscriber.judge(one.seen)).toBe('ended');
    expect(subscriber.judge(two.seen)).toBe('alive');
    expect(json).toMatchObject({ ended: 1, confirmed: true, acknowledged: 1, waitedOut: 0 });
    expect(json.ms).toBeLessThan(900);

    const everybody = await node.on.call('POST', '/v1/logout', {
      bearer: two.bearer,
      body: { scope: 'all' },
    });
    expect(everybody.json).toMatchObject({ confirmed: true, acknowledged: 1 });
    expect(subscriber.judge(two.seen)).toBe('ended');
  });

  test('a verifier that says nothing is waited out, and has stopped trusting itself by then', async () => {
    const node = await startNode(await openAuthority(backend));
    const one = await logIn(node.on);
    const { subscriber, mute } = follow(node.url);
    await until('the verifier is fresh', async () => subscriber.isFresh());
    mute();
    const { json } = await node.on.call('POST', '/v1/logout', { bearer: one.bearer });
    expect(subscriber.judge(one.seen)).toBe('unsure');
    expect(json).toMatchObject({ ended: 1, confirmed: true, acknowledged: 0, waitedOut: 1 });
  });

  test('a verifier that is cut off is waited out once, and not at all after that', async () => {
    const node = await startNode(await openAuthority(backend));
    const [one, two] = [await logIn(node.on), await logIn(node.on)];
    const { subscriber, ws } = follow(node.url);
    await until('the verifier is fresh', async () => subscriber.isFresh());
    ws.terminate();
    const first = await node.on.call('POST', '/v1/logout', { bearer: one.bearer });
    expect(first.json).toMatchObject({ confirmed: true, acknowledged: 0 });
    expect(['ended', 'unsure']).toContain(subscriber.judge(one.seen));
    await until('its lease is over', async () => !subscriber.isFresh());
    await new Promise((wake) => setTimeout(wake, 100));
    const second = await node.on.call('POST', '/v1/logout', { bearer: two.bearer });
    expect(second.json).toMatchObject({ confirmed: true, acknowledged: 0, waitedOut: 0 });
  });

  test('use at a verifier is use of the session', async () => {
    const node = await startNode(await openAuthority(backend));
    const one = await logIn(node.on);
    const { subscriber, ws } = follow(node.url);
    await until('the verifier is fresh', async () => subscriber.isFresh());
    const seenAt = async (): Promise<string> =>
      (await node.on.call('GET', '/v1/sessions', { bearer: one.bearer })).json.sessions.find(
        (session: { id: string }) => session.id === one.sid,
      ).last_seen_at;
    const before = await seenAt();
    await new Promise((wake) => setTimeout(wake, 20));
    ws.send(
      JSON.stringify({
        t: 'used',
        sessions: [
          [one.sid, 0],
          ['no session', 0],
        ],
      }),
    );
    await until('the use is written', async () => (await seenAt()) > before);
  });
});
