/** A server with its WebSockets, and devices that listen to it for notices. */
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Notice, NOTICES_PROTOCOL, NOTICES_TOKEN } from '@curfew/protocol/notices';
import { type ClientOptions, WebSocket } from 'ws';
import { ISSUER } from '../support.ts';

export interface Door {
  url: string;
  close: () => void;
}

export async function openDoor(on: {
  listener?: RequestListener;
  upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}): Promise<Door> {
  const server = createServer(on.listener ?? ((_req, res) => res.writeHead(404).end()));
  server.on('upgrade', (request, socket, head) => on.upgrade(request, socket, head));
  await new Promise<void>((ready) => {
    server.listen(0, '127.0.0.1', ready);
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close: () => server.close() };
}

/** The ways in which a device presents its credential. */
type Credential = { bearer: string } | { offered: string } | { cookie: string };

export interface Device {
  ws: WebSocket;
  heard: Notice[];
  /** When each was heard, on the monotonic clock. */
  heardMs: number[];
  /** The first notice of a type that was or will be heard. */
  hears: <T extends Notice['type']>(type: T) => Promise<Notice & { type: T }>;
  /** The close code. */
  closed: Promise<number>;
}

const LONG_MS = 30_000;

function optionsOf(
  credential: Credential | null,
  more: ClientOptions = {},
): { protocols: string[]; options: ClientOptions } {
  const headers: Record<string, string> = {};
  const protocols = [NOTICES_PROTOCOL];
  if (credential && 'bearer' in credential) headers['authorization'] = `Bearer ${credential.bearer}`;
  if (credential && 'offered' in credential) protocols.push(NOTICES_TOKEN + credential.offered);
  if (credential && 'cookie' in credential) {
    headers['cookie'] = `curfew_session=${credential.cookie}`;
    headers['origin'] = ISSUER;
  }
  return { protocols, options: { ...more, headers: { ...headers, ...more.headers } } };
}

/** Listens, and waits for the hello. */
export async function listen(url: string, credential: Credential, more: ClientOptions = {}): Promise<Device> {
  const device = connect(url, credential, more);
  await device.hears('hello');
  return device;
}

/** The same without waiting. */
export function connect(url: string, credential: Credential | null, more: ClientOptions = {}): Device {
  const { protocols, options } = optionsOf(credential, more);
  const ws = new WebSocket(`${url.replace('http', 'ws')}/v1/notices`, protocols, options);
  const heard: Notice[] = [];
  const heardMs: number[] = [];
  const waiting = new Set<() => void>();
  ws.on('message', (data: Buffer) => {
    heard.push(JSON.parse(data.toString()));
    heardMs.push(performance.now());
    for (const look of waiting) look();
  });
  const closed = new Promise<number>((resolve) => {
    ws.on('close', (code) => {
      resolve(code);
      for (const look of waiting) look();
    });
  });
  ws.on('error', () => undefined);
  return {
    ws,
    heard,
    heardMs,
    closed,
    hears: <T extends Notice['type']>(type: T) =>
      new Promise<Notice & { type: T }>((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`no ${type} came: ${JSON.stringify(heard)}`)),
          LONG_MS,
        );
        const look = (): void => {
          const found = heard.find((notice): notice is Notice & { type: T } => notice.type === type);
          if (!found && ws.readyState < WebSocket.CLOSING) return;
          clearTimeout(timer);
          waiting.delete(look);
          if (found) resolve(found);
          else reject(new Error(`closed without ${type}: ${JSON.stringify(heard)}`));
        };
        waiting.add(look);
        look();
      }),
  };
}

/** The status of the answer to a handshake; 101 when it went through. */
export function handshake(
  url: string,
  credential: Credential | null,
  more: ClientOptions = {},
  protocols = optionsOf(credential).protocols,
): Promise<{ status: number; headers: IncomingMessage['headers']; protocol: string }> {
  return new Promise((resolve, reject) => {
    const { options } = optionsOf(credential, more);
    const ws = new WebSocket(`${url.replace('http', 'ws')}/v1/notices`, protocols, options);
    ws.on('unexpected-response', (_request, response) => {
      resolve({ status: response.statusCode ?? 0, headers: response.headers, protocol: '' });
      ws.terminate();
    });
    ws.on('open', () => {
      resolve({ status: 101, headers: {}, protocol: ws.protocol });
      ws.terminate();
    });
    ws.on('error', reject);
  });
}
