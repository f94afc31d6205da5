import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type SessionEnd, type Notice, NOTICES_CLOSED, NOTICES_PROTOCOL } from '@curfew/protocol/notices';
import { WebSocket, WebSocketServer } from 'ws';
import type { World } from '../../world/world.ts';
import type { LiveSession } from '../../domain/session.ts';
import { later } from '../../system/timers.ts';
import { deletionsOfDead } from '../session-cookie.ts';
import { readCredential } from '../../domain/presented.ts';
import type { Dropped, Metrics } from '../operator/metrics.ts';
import { createAdmitListener } from './notice-handshake.ts';
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

/** A message that is too long breaks the rule that any message breaks. */
class Socket extends WebSocket {
  /** No answer since the last ping. */
  silent = false;
  override close(code?: number, why?: string | Buffer): void {
    super.close(code === TOO_LONG ? NOTICES_CLOSED.protocol : code, why);
  }
}
const TOO_LONG = 1009;

const OPTIONS = {
  noServer: true,
  clientTracking: false,
  WebSocket: Socket,
  maxPayload: MAX_MESSAGE_BYTES,
  perMessageDeflate: false,
  closeTimeout: CLOSE_MS,
  handleProtocols: () => NOTICES_PROTOCOL,
};

/** The devices that listen at this process. */
export class NoticeSockets {
  readonly #world: World;
  readonly #metrics: Metrics;
  readonly #admit: ReturnType<typeof createAdmitListener>;
  readonly #server = new WebSocketServer<typeof Socket>(OPTIONS);
  readonly #groups = Array.from({ length: PING_GROUPS }, () => new Set<Socket>());
  readonly #stopPinging: () => void;
  #open = 0;
  #next = 0;
  #closing = false;

  constructor(world: World, metrics: Metrics, pingMs: number = PING_MS) {
    this.#world = world;
    this.#metrics = metrics;
    this.#admit = createAdmitListener(world, metrics);
    let group = 0;
    this.#stopPinging = world.system.every(pingMs / PING_GROUPS, () =>
      this.#ping(this.#groups[group++ % PING_GROUPS] ?? new Set()),
    );
  }

  /** Answers `GET /v1/notices` with `Upgrade: websocket`. */
  upgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    ipAddress: string | null = request.socket.remoteAddress ?? null,
  ): void {
    socket.on('error', ignore);
    this.#answer(request, socket, head, ipAddress).catch((err: unknown) => {
      const log = this.#world.system.log.child({ part: 'notices' });
      log.warn({ err }, 'could not check the session of a device that wants notices');
      refuseUpgrade(socket, 'unavailable', RETRY_AFTER);
    });
  }

  /** Closes every socket, because the node stops. */
  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#stopPinging();
    const sockets = this.#groups.flatMap((those) => [...those]);
    const closeSome = (): void => {
      for (const socket of sockets.splice(0, 500)) socket.close(NOTICES_CLOSED.restart, 'restart');
      if (sockets.length > 0) setImmediate(closeSome);
    };
    closeSome();
    // A peer that does not answer must not keep this process alive.
    later(this.#world.system, LAST_CLOSE_MS, () => {
      for (const those of this.#groups) for (const socket of those) socket.terminate();
    });
    this.#server.close();
  }

  async #answer(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    ipAddress: string | null,
  ): Promise<void> {
    const admitted = this.#closing ? 'unavailable' : await this.#admit(request, ipAddress);
    if (socket.destroyed) return;
    if (admitted === 'unavailable') return refuseUpgrade(socket, admitted, RETRY_AFTER);
    if (admitted === 'not_authenticated') {
      const { authorization, cookie } = request.headers;
      const from = readCredential(authorization, cookie, this.#world.config.cookie.name);
      return refuseUpgrade(socket, admitted, {}, await deletionsOfDead(this.#world, from));
    }
    if (typeof admitted === 'string') return refuseUpgrade(socket, admitted);
    socket.off('error', ignore);
    this.#server.handleUpgrade(request, socket, head, (ws) => {
      upgradeAnswered(socket, 101);
      ws.on('error', ignore);
      if ('ended' in admitted) this.#tellEnd(ws, admitted.sid, admitted.ended);
      else this.#serve(ws, admitted);
    });
  }

  #serve(socket: Socket, session: LiveSession): void {
    const { config, notices: board } = this.#world;
    const { sid, userId } = session;
    // Accepted first and closed then: only so does a browser get the code.
    if (this.#open >= config.notices.perNode || board.of(userId) >= config.notices.perUser)
      return this.#drop(socket, 'busy', NOTICES_CLOSED.busy);
    const group = this.#groups[this.#next++ % PING_GROUPS] as Set<Socket>;
    group.add(socket);
    this.#open++;
    this.#say(socket, { type: 'hello', session_id: sid });
    const stop = board.listen(session, {
      ended: (ended) => this.#tellEnd(socket, sid, ended),
      changed: () => this.#say(socket, CHANGED),
    });
    socket.on('pong', heard);
    socket.on('message', () => {
      if (socket.readyState === WebSocket.OPEN) this.#drop(socket, 'protocol', NOTICES_CLOSED.protocol);
    });
    socket.on('close', () => {
      stop();
      group.delete(socket);
      this.#open--;
    });
  }

  #say(socket: Socket, notice: Notice): void {
    if (socket.readyState !== WebSocket.OPEN) return;
    socket.send(JSON.stringify(notice));
    if (socket.bufferedAmount <= MAX_UNREAD_BYTES) return;
    this.#drop(socket, 'unread', NOTICES_CLOSED.busy);
    // The close frame queues behind unread bytes, for a client that reads them after all.
    later(this.#world.system, LAST_CLOSE_MS, () => socket.terminate());
  }

  #tellEnd(socket: Socket, sid: string, ended: SessionEnd): void {
    this.#say(socket, { type: 'session.ended', session_id: sid, ...ended });
    socket.close(NOTICES_CLOSED.ended, ended.reason);
  }

  #drop(socket: Socket, why: Dropped, code: number): void {
    this.#metrics.noticesDropped(why);
    socket.close(code, why);
  }

  #ping(sockets: Set<Socket>): void {
    for (const socket of sockets) {
      if (socket.silent) {
        this.#metrics.noticesDropped('silent');
        socket.terminate();
      } else if (socket.readyState === WebSocket.OPEN) {
        socket.silent = true;
        socket.ping();
      }
    }
  }
}

const CHANGED: Notice = { type: 'sessions.changed' };

/** A broken socket emits `close`. */
const ignore = (): void => undefined;

function heard(this: WebSocket): void {
  (this as Socket).silent = false;
}
