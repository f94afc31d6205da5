import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  type SessionEnd,
  type Notice,
  NOTICES_CLOSED,
  NOTICES_PROTOCOL,
  NOTICES_TOKEN,
} from '@curfew/protocol/notices';
import { WebSocket, WebSocketServer } from 'ws';
import { authenticate } from '../../actions/authenticate.ts';
import { type EndedSession, howEnded } from '../../actions/why-ended.ts';
import type { World } from '../../world/world.ts';
import type { LiveSession } from '../../domain/session.ts';
import { type Credential, parseBearer } from '../../domain/credentials.ts';
import { later } from '../../system/timers.ts';
import { deletionsOfDead } from '../session-cookie.ts';
import { readCredential } from '../../domain/presented.ts';
import type { Dropped, Metrics } from '../operator/metrics.ts';
import { refuseUpgrade } from './refuse-upgrade.ts';
import { upgradeAnswered } from './upgrade-answers.ts';
import { RETRY_AFTER } from '../respond.ts';

/** Devices send nothing. */
const MAX_MESSAGE_BYTES = 1024;
/** A device with this much unread is dropped, and learns what it missed when it reconnects. */
const MAX_UNREAD_BYTES = 64 * 1024;
/** How long the other end may take to answer a close frame. */
const CLOSE_MS = 10_000;
/** How long when this process ends. */
const LAST_CLOSE_MS = 3000;
const PING_MS = 30_000;
/** Sockets are pinged in this many groups in turn, so that ten thousand are not pinged at once. */
const PING_GROUPS = 30;
/** Handshakes that ask the database at a time, so that thousands at once leave it to logouts. */
const ASKING = 4;
const WAITING = 2000;

/** The devices that listen at this process. */
interface Notices {
  /** Answers `GET /v1/notices` with `Upgrade: websocket`. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Closes every socket, because the node stops. */
  close(): void;
}

/** A message that is too long breaks the rule that any message breaks. */
class Socket extends WebSocket {
  /** No answer since the last ping. */
  silent = false;
  override close(code?: number, why?: string | Buffer): void {
    super.close(code === TOO_LONG ? NOTICES_CLOSED.protocol : code, why);
  }
}
const TOO_LONG = 1009;

export function createNoticeSockets(world: World, metrics: Metrics, pingMs: number = PING_MS): Notices {
  const { config, notices: board, system } = world;
  const log = system.log.child({ part: 'notices' });
  const options = {
    noServer: true,
    clientTracking: false,
    WebSocket: Socket,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: false,
    closeTimeout: CLOSE_MS,
    handleProtocols: () => NOTICES_PROTOCOL,
  };
  const server = new WebSocketServer<typeof Socket>(options);
  const groups = Array.from({ length: PING_GROUPS }, () => new Set<Socket>());
  const mayOpen = bucket(config.notices.perSecond, () => system.monotonicMs());
  const asking = gate(ASKING, WAITING);
  let open = 0;
  let next = 0;
  let closing = false;

  const drop = (socket: Socket, why: Dropped, code: number): void => {
    metrics.noticesDropped(why);
    socket.close(code, why);
  };
  const say = (socket: Socket, notice: Notice): void => {
    if (socket.readyState !== WebSocket.OPEN) return;
    socket.send(JSON.stringify(notice));
    if (socket.bufferedAmount <= MAX_UNREAD_BYTES) return;
    drop(socket, 'unread', NOTICES_CLOSED.busy);
    // The close frame queues behind unread bytes, for a client that reads them after all.
    later(system, LAST_CLOSE_MS, () => socket.terminate());
  };

  const tellEnd = (socket: Socket, sid: string, ended: SessionEnd): void => {
    say(socket, { type: 'session.ended', session_id: sid, ...ended });
    socket.close(NOTICES_CLOSED.ended, ended.reason);
  };

  async function answer(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const admitted = await admit(request);
    if (socket.destroyed) return;
    if (admitted === 'unavailable') return refuseUpgrade(socket, admitted, RETRY_AFTER);
    if (admitted === 'not_authenticated') {
      const { authorization, cookie } = request.headers;
      const from = readCredential(authorization, cookie, config.cookie.name);
      return refuseUpgrade(socket, admitted, {}, await deletionsOfDead(world, from));
    }
    if (typeof admitted === 'string') return refuseUpgrade(socket, admitted);
    socket.off('error', ignore);
    server.handleUpgrade(request, socket, head, (ws) => {
      upgradeAnswered(socket, 101);
      ws.on('error', ignore);
      if ('ended' in admitted) tellEnd(ws, admitted.sid, admitted.ended);
      else serve(ws, admitted);
    });
  }

  /** @returns the listener; or how the session of a genuine credential ended; or the refusal */
  async function admit(request: IncomingMessage): Promise<LiveSession | EndedSession | Refused> {
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((one) => one.trim());
    if (closing) return 'unavailable';
    if (!offered.includes(NOTICES_PROTOCOL)) return 'invalid_request';
    const from = presentedBy(request, offered, config.cookie.name);
    const { origin } = request.headers;
    // Any page can open a WebSocket, and its browser sends the cookie along.
    if (origin === undefined ? from?.via === 'cookie' : !isOwnOrTrusted(origin, request.headers.host))
      return 'forbidden';
    if (!from?.credential) return 'not_authenticated';
    const { credential } = from;
    const session = await asking(
      async () =>
        (await authenticate(world, credential, false)) ??
        (await howEnded(world, credential)) ??
        'not_authenticated',
    );
    if (session === 'not_authenticated') return session;
    if (session !== 'full' && mayOpen()) return session;
    metrics.noticesDropped('rate');
    return 'unavailable';
  }

  const scheme = config.cookie.secure ? 'https' : 'http';
  const isOwnOrTrusted = (origin: string, host: string | undefined): boolean =>
    config.trustedOrigins.has(origin) || origin === `${scheme}://${host}`;

  function serve(socket: Socket, session: LiveSession): void {
    const { sid, userId } = session;
    // Accepted first and closed then: only so does a browser get the code.
    if (open >= config.notices.perNode || board.of(userId) >= config.notices.perUser)
      return drop(socket, 'busy', NOTICES_CLOSED.busy);
    const group = groups[next++ % PING_GROUPS] as Set<Socket>;
    group.add(socket);
    open++;
    say(socket, { type: 'hello', session_id: sid });
    const stop = board.listen(session, {
      ended: (ended) => tellEnd(socket, sid, ended),
      changed: () => say(socket, CHANGED),
    });
    socket.on('pong', heard);
    socket.on('message', () => {
      if (socket.readyState === WebSocket.OPEN) drop(socket, 'protocol', NOTICES_CLOSED.protocol);
    });
    socket.on('close', () => {
      stop();
      group.delete(socket);
      open--;
    });
  }

  let group = 0;
  const stopPinging = system.every(pingMs / PING_GROUPS, () => {
    for (const socket of groups[group++ % PING_GROUPS] ?? []) {
      if (socket.silent) {
        metrics.noticesDropped('silent');
        socket.terminate();
      } else if (socket.readyState === WebSocket.OPEN) {
        socket.silent = true;
        socket.ping();
      }
    }
  });

  return {
    upgrade(request, socket, head) {
      socket.on('error', ignore);
      answer(request, socket, head).catch((err: unknown) => {
        log.warn({ err }, 'could not check the session of a device that wants notices');
        refuseUpgrade(socket, 'unavailable', RETRY_AFTER);
      });
    },
    close() {
      if (closing) return;
      closing = true;
      stopPinging();
      const sockets = groups.flatMap((those) => [...those]);
      const closeSome = (): void => {
        for (const socket of sockets.splice(0, 500)) socket.close(NOTICES_CLOSED.restart, 'restart');
        if (sockets.length > 0) setImmediate(closeSome);
      };
      closeSome();
      // A peer that does not answer must not keep this process alive.
      later(system, LAST_CLOSE_MS, () => {
        for (const those of groups) for (const socket of those) socket.terminate();
      });
      server.close();
    },
  };
}

type Refused = 'invalid_request' | 'not_authenticated' | 'forbidden' | 'unavailable';

const CHANGED: Notice = { type: 'sessions.changed' };

/** A broken socket emits `close`. */
const ignore = (): void => undefined;

function heard(this: WebSocket): void {
  (this as Socket).silent = false;
}

/** Reads the credential: the Authorization header, else a token offered as a subprotocol, else the cookie. Never the address. */
function presentedBy(
  request: IncomingMessage,
  offered: readonly string[],
  cookieName: string,
): { via: 'header' | 'cookie'; credential: Credential | null } | null {
  const { authorization, cookie } = request.headers;
  const tokens = offered.filter((one) => one.startsWith(NOTICES_TOKEN));
  if (authorization === undefined && tokens.length > 0) {
    const [token = ''] = tokens;
    return {
      via: 'header',
      credential: tokens.length > 1 ? null : parseBearer(token.slice(NOTICES_TOKEN.length)),
    };
  }
  const from = readCredential(authorization, cookie, cookieName);
  return from.via === 'none' ? null : from;
}

/** A token bucket. @returns takes one; false when there is none */
function bucket(perSecond: number, nowMs: () => number): () => boolean {
  let left = perSecond;
  let atMs = nowMs();
  return () => {
    const now = nowMs();
    left = Math.min(perSecond, left + ((now - atMs) * perSecond) / 1000);
    atMs = now;
    if (left < 1) return false;
    left--;
    return true;
  };
}

/** Runs this many pieces of work at a time and queues this many; for the next one it reports that it is full. */
function gate(atATime: number, mostWaiting: number): <T>(work: () => Promise<T>) => Promise<T | 'full'> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running >= atATime) {
      if (waiting.length >= mostWaiting) return 'full';
      // Work that ends passes its place on.
      await new Promise<void>((go) => waiting.push(go));
    } else running++;
    try {
      return await work();
    } finally {
      const go = waiting.shift();
      if (go) go();
      else running--;
    }
  };
}
