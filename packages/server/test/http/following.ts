/** Verifiers that follow a node over real connections, and what they need of it. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '@curfew/protocol/clock';
import { decodeNodeMessage, type NodeMessage } from '@curfew/protocol/feed-messages';
import { watch, type Watched } from '@curfew/protocol/replica';
import { Subscriber } from '@curfew/protocol/subscriber';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { realTimers } from '../../src/system/timers.ts';
import { type HandClock, passWhile } from '../services/hand-clock.ts';
import { PASSWORD, SERVICE_KEY, type TestAuthority } from '../support.ts';

/** An authority behind a real server. */
export interface FeedNode {
  on: TestAuthority;
  /** Of its feed. */
  url: string;
  close: () => Promise<void>;
}

/**
 * Listens on a free port, until the test is over; for a whole file, until it is closed.
 * @param clock of the authority, when not the real one: a node that is closed waits for the leases of its verifiers
 */
export async function startNode(
  on: TestAuthority,
  { forTheFile = false, clock }: { forTheFile?: boolean; clock?: HandClock } = {},
): Promise<FeedNode> {
  const close = async (): Promise<void> => {
    on.authority.hangUp();
    server.close();
    await on.close();
  };
  const server: Server = createServer(on.authority.listener);
  server.on('upgrade', on.authority.upgrade);
  await new Promise<void>((ready) => {
    server.listen(0, '127.0.0.1', ready);
  });
  const node = {
    on,
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/v1/feed`,
    close: once(() => (clock ? passWhile(clock, close()) : close())),
  };
  if (!forTheFile) onTestFinished(node.close);
  return node;
}

/** A feed that the test itself closed is not closed again after it. */
function once(close: () => Promise<void>): () => Promise<void> {
  let closing: Promise<void> | undefined;
  return () => (closing ??= close());
}

/** The header that allows a verifier to follow. */
export const headers = { authorization: `Bearer ${SERVICE_KEY}` };

/** A verifier of the tests. */
interface Following {
  subscriber: Subscriber;
  ws: WebSocket;
  heard: NodeMessage[];
  /** From here on it neither reads nor sends. */
  mute: () => void;
}

const realClock: Clock = {
  now: () => ({ monotonicMs: performance.now(), wallMs: Date.now() }),
  ...realTimers,
};

/** A verifier over a real connection, as packages/verifier has it, without its comforts. */
export function follow(url: string, clock: Clock = realClock, key: string = SERVICE_KEY): Following {
  const heard: NodeMessage[] = [];
  const ws = new WebSocket(url, { headers: { authorization: `Bearer ${key}` } });
  let muted = false;
  const subscriber = new Subscriber('a-verifier', {
    now: () => clock.now(),
    send: (message) => !muted && ws.readyState === ws.OPEN && ws.send(JSON.stringify(message)),
    reconnect: () => ws.terminate(),
    onEnding: () => undefined,
    onNewReplica: () => undefined,
  });
  ws.on('open', () => subscriber.connected());
  ws.on('message', (data: Buffer, isBinary) => {
    const message = decodeNodeMessage(isBinary ? data : data.toString());
    heard.push(message);
    if (!muted) subscriber.received(message);
  });
  ws.on('error', () => undefined);
  const stop = clock.every(250, () => !muted && subscriber.tick());
  onTestFinished(() => {
    stop();
    ws.terminate();
  });
  return { subscriber, ws, heard, mute: () => (muted = true) };
}

/** A session as its owner has it, and as a verifier sees it. */
export async function logIn(on: TestAuthority): Promise<{ bearer: string; sid: string; seen: Watched }> {
  const { json } = await on.call('POST', '/v1/login', {
    body: { email: 'test@example.com', password: PASSWORD },
  });
  const [, payload = ''] = json.access_token.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
  const { sid, sub: subject, client_id: clientId, device_id: deviceId, born, tenant } = claims;
  return {
    bearer: json.access_token,
    sid,
    seen: watch({ sid, subject, clientId, deviceId, born, login: null, tenant }),
  };
}
