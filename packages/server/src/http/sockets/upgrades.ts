import { type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { World } from '../../world/world.ts';
import { createAddressReader } from '../address.ts';
import { readCredential } from '../../domain/presented.ts';
import { createFeeds } from './feed.ts';
import type { Metrics } from '../operator/metrics.ts';
import { NoticeSockets } from './notice-sockets.ts';
import { onUpgradeAnswered } from './upgrade-answers.ts';
import { readTarget } from '../node-http/target.ts';

/** The WebSockets of this process. */
interface Upgrades {
  /** Answers a request with `Upgrade`; if it is for no WebSocket of Curfew, as if it had none. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Closes all of them, because the node stops. */
  close(): void;
}

/** What a refusal is recorded as, by its status. */
const CODES = { 401: 'not_authenticated', 403: 'insufficient_scope', 429: 'too_many_invalid_keys' } as const;

const PATHS = ['/v1/feed', '/v1/notices'] as const;

/**
 * The path of the WebSocket that a request asks for, or null: `Upgrade` is then ignored (RFC 9110 section 7.8), as in HTTP/1.0.
 * Proxies send it with whatever they ask when their client wants another program's WebSocket.
 */
export function webSocketPath(request: IncomingMessage, basePath: string): (typeof PATHS)[number] | null {
  const { method, httpVersion, headers } = request;
  if (method !== 'GET' || httpVersion === '1.0' || headers.upgrade?.toLowerCase() !== 'websocket')
    return null;
  const path = readTarget(request, basePath)?.url.split('?', 1)[0];
  return PATHS.find((one) => basePath + one === path) ?? null;
}

export function createUpgrades(world: World, metrics: Metrics): Upgrades {
  const byPath = { '/v1/feed': createFeeds(world), '/v1/notices': new NoticeSockets(world, metrics) };
  const { basePath } = world.config;
  const addressOf = createAddressReader(world.config.trustedProxies);
  /** Like every other request, so that refused ones leave a trace. */
  const logAnswer = (
    request: IncomingMessage,
    socket: Duplex,
    path: string,
    ip_address: string | null,
  ): void => {
    const startedMs = world.system.monotonicMs();
    onUpgradeAnswered(socket, (status) => {
      const ms = Math.round((world.system.monotonicMs() - startedMs) * 100) / 100;
      world.system.log.info({ method: 'GET', path, status, ms, ip_address, upgrade: 'websocket' }, 'request');
      if (status === 401 || status === 403 || status === 429) noteRefused(request, path, ip_address, status);
    });
  };
  /** The refusal names the user of the credential where memory knows it: a browser sends the cookie for another site's page. */
  const noteRefused = (
    request: IncomingMessage,
    path: string,
    ipAddress: string | null,
    status: keyof typeof CODES,
  ): void => {
    const { authorization, cookie, 'user-agent': userAgent = '' } = request.headers;
    const from = readCredential(authorization, cookie, world.config.cookie.name);
    const session =
      from.via === 'none' || !from.credential
        ? undefined
        : world.memory.recall(from.credential.text, false)?.session;
    world.refusals.note(
      'websocket_refused',
      session?.userId ?? null,
      { contract: 'v1', ipAddress, userAgent, requestId: null },
      {
        code: status === 403 && path === '/v1/notices' ? 'forbidden' : CODES[status],
        ...(session ? { clientId: session.clientId } : {}),
      },
    );
  };
  return {
    upgrade(request, socket, head) {
      const path = webSocketPath(request, basePath);
      if (path === null) return handBack(request, socket, head);
      const host = readTarget(request, basePath)?.host;
      if (host !== undefined) request.headers.host = host;
      const { headers } = request;
      const one = (value: string | string[] | undefined): string | null => value?.toString() ?? null;
      const ipAddress = addressOf(request.socket.remoteAddress, {
        xForwardedFor: one(headers['x-forwarded-for']),
        forwarded: one(headers.forwarded),
      });
      logAnswer(request, socket, path, ipAddress);
      byPath[path].upgrade(request, socket, head, ipAddress);
    },
    close() {
      for (const there of Object.values(byPath)) there.close();
    },
  };
}

/** The properties that node:http sets on a connection. */
interface HttpConnection {
  server?: Server;
  _httpMessage?: ServerResponse | null;
}

/**
 * Returns a connection to its server, as if the request had no `Upgrade`: node:http has released it with the body unread.
 * Documented for connections of every kind: https://nodejs.org/api/http.html#event-connection
 */
function handBack(request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const { server, _httpMessage: unanswered } = socket as Socket & HttpConnection;
  // A client may send the next request before it has the answer to the last one.
  if (unanswered) return void unanswered.once('close', () => handBack(request, socket, head));
  if (!server) return answerKept(request);
  const { rawHeaders } = request;
  let text = `${request.method} ${request.url} HTTP/${request.httpVersion}\r\n`;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const [name = '', value = ''] = rawHeaders.slice(i, i + 2);
    if (!/^(upgrade|http2-settings)$/i.test(name))
      text += `${name}: ${/^connection$/i.test(name) ? withoutUpgrade(value) : value}\r\n`;
  }
  socket.unshift(Buffer.concat([Buffer.from(`${text}\r\n`, 'latin1'), head]));
  server.emit('encrypted' in socket ? 'secureConnection' : 'connection', socket);
}

/** Newer versions of node:http keep the connection of an upgrade that has a body, and read the body themselves. */
function answerKept(request: IncomingMessage): void {
  const { socket } = request;
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  response.once('finish', () => socket.end());
  (socket as Socket & HttpConnection).server?.emit('request', request, response);
}

const withoutUpgrade = (connection: string): string =>
  connection
    .split(',')
    .filter((option) => !/^\s*(upgrade|http2-settings)\s*$/i.test(option))
    .join(',');
