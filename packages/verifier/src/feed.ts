import type { Clock } from '@curfew/protocol/clock';
import {
  decodeNodeMessage,
  FEED_CLOSED,
  type NodeMessage,
  type VerifierMessage,
} from '@curfew/protocol/feed-messages';
import { Subscriber } from '@curfew/protocol/subscriber';
import { WebSocket } from 'ws';
import type { Log } from './options.ts';

/** The callbacks of a feed. */
interface FeedListener {
  onEnding(ending: NodeMessage & { t: 'ending' }): void;
  /** The authority's database went back. */
  onNewReplica(wentBack: boolean): void;
  /** A snapshot arrived with earlier endings, which were not announced one by one. */
  onSnapshot(): void;
  onKeys(keys: readonly Record<string, unknown>[]): void;
  /** Called after every message and every tick: the freshness may have changed. */
  onFreshness(): void;
}

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5000;
/** The limit for the WebSocket to open, and then for the node's terms. The subscriber notices later silence. */
const OPENING_MS = 5000;
/** The limit for the other end to answer the close. */
const CLOSING_MS = 1000;
/** The lease until a node has told its own. */
const TICK_MS = 250;
/** Far above the largest piece that a node sends. */
const LARGEST_MESSAGE = 8 * 1024 * 1024;
/** With more than this unsent the other end does not read, and activity is not sent. */
const BACKLOG = 64 * 1024;

const CLOSED = new Map<number, string>([
  [FEED_CLOSED.restart, 'the node is restarting'],
  [FEED_CLOSED.revoked, 'the key is revoked or expired: give this back end another one'],
  [FEED_CLOSED.version, 'authority and verifier speak different versions of the feed: update one of them'],
]);

const HINTS = new Map<number, string>([
  [401, ' (is the key live? curfew api-keys list)'],
  [429, ' (too many requests with an invalid key: is the key live? curfew api-keys list)'],
  [403, ' (does the key have the scope "verify"?)'],
  [
    426,
    ' (the program that hosts the authority does not pass upgrades on: server.on("upgrade", authority.upgrade); or a proxy in between does not forward "Upgrade"; or authority and verifier have different versions)',
  ],
]);

/** The connection to one node of the authority, renewed until it is closed. The subscriber makes the decisions. */
export class Feed {
  readonly subscriber: Subscriber;
  readonly #urls: readonly URL[];
  readonly #serviceKey: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #listener: FeedListener;
  #socket: WebSocket | null = null;
  #at = 0;
  #failures = 0;
  #connections = 0;
  #openedMs = 0;
  #welcomed = false;
  #stopTimer: () => void = () => undefined;
  #stopTick: () => void = () => undefined;
  /** The last problem that was logged; the next log line is for a different one. */
  #trouble: string | null = null;
  #closed = false;

  constructor(
    authorities: readonly URL[],
    serviceKey: string,
    clock: Clock,
    log: Log,
    listener: FeedListener,
  ) {
    this.#urls = authorities.map((url) => {
      const feed = new URL('v1/feed', url);
      feed.protocol = feed.protocol === 'https:' ? 'wss:' : 'ws:';
      return feed;
    });
    this.#serviceKey = serviceKey;
    this.#clock = clock;
    this.#log = log;
    this.#listener = listener;
    // Verifiers of nodes that restart together must not all choose the first address.
    this.#at = Math.floor(Math.random() * this.#urls.length);
    this.subscriber = new Subscriber(globalThis.crypto.randomUUID(), {
      now: () => clock.now(),
      send: (message) => this.send(message),
      reconnect: (why) => this.#lost(why),
      onEnding: (ending) => listener.onEnding({ t: 'ending', seq: 0, ...ending }),
      onNewReplica: (wentBack) => listener.onNewReplica(wentBack),
    });
    this.#connect();
    this.#tick();
  }

  /** The connected node; null while there is none. */
  get node(): string | null {
    return this.#welcomed ? (this.subscriber.terms?.node ?? null) : null;
  }

  /** Connections opened so far. */
  get connections(): number {
    return this.#connections;
  }

  /** Whether optional messages can be sent now. */
  get isIdle(): boolean {
    return this.#welcomed && (this.#socket?.bufferedAmount ?? Number.POSITIVE_INFINITY) < BACKLOG;
  }

  send(message: VerifierMessage): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stopTimer();
    this.#stopTick();
    const socket = this.#socket;
    this.#socket = null;
    this.#welcomed = false;
    if (!socket || socket.readyState === WebSocket.CLOSED) return;
    const over = new Promise((resolve) => socket.once('close', resolve));
    // A node that does not answer must not keep the process alive.
    const timer = setTimeout(() => socket.terminate(), CLOSING_MS);
    socket.close(1000);
    await over;
    clearTimeout(timer);
  }

  #connect(): void {
    const url = this.#urls[this.#at] as URL;
    const socket = new WebSocket(url, {
      headers: { authorization: `Bearer ${this.#serviceKey}` },
      handshakeTimeout: OPENING_MS,
      maxPayload: LARGEST_MESSAGE,
      perMessageDeflate: false,
    });
    this.#socket = socket;
    // Events of a connection that was given up are ignored.
    const current = (): boolean => this.#socket === socket;
    socket.on('open', () => {
      if (!current()) return;
      this.#connections++;
      this.#openedMs = this.#clock.now().monotonicMs;
      this.subscriber.connected();
    });
    socket.on('message', (data, isBinary) => {
      if (current()) this.#received(data as Buffer, isBinary);
    });
    socket.on('unexpected-response', (_request, response) => {
      response.resume();
      const hint = HINTS.get(response.statusCode ?? 0) ?? '';
      if (current()) this.#lost(`the authority answered ${response.statusCode}${hint}`);
    });
    socket.on('error', (error) => {
      if (current()) this.#lost(error.message);
    });
    socket.on('close', (code) => {
      if (current()) this.#lost(CLOSED.get(code) ?? `closed with ${code}`);
    });
  }

  #received(data: Buffer, isBinary: boolean): void {
    let message: NodeMessage;
    try {
      message = decodeNodeMessage(isBinary ? data : data.toString());
      // A message that cannot be taken in whole is not acknowledged; the next connection's snapshot holds it.
      this.subscriber.received(message);
    } catch (error) {
      return this.#lost(`received an invalid message: ${String(error)}`);
    }
    switch (message.t) {
      case 'welcome':
        this.#welcomed = this.#socket !== null;
        break;
      case 'snapshot':
        this.#listener.onSnapshot();
        break;
      case 'keys':
        this.#listener.onKeys(message.keys);
        break;
      case 'renewed':
        this.#failures = 0;
        if (this.#trouble !== null) this.#log('info', 'reconnected to the authority', { node: this.node });
        this.#trouble = null;
        break;
      default:
    }
    this.#listener.onFreshness();
  }

  #tick(): void {
    const { terms } = this.subscriber;
    this.#stopTick = this.#clock.after(terms ? terms.lease / 4 : TICK_MS, () => {
      if (this.#welcomed) this.subscriber.tick();
      else if (
        this.#socket?.readyState === WebSocket.OPEN &&
        this.#clock.now().monotonicMs - this.#openedMs > OPENING_MS
      )
        this.#lost('the node is silent');
      this.#listener.onFreshness();
      if (!this.#closed) this.#tick();
    });
  }

  /** Gives the connection up, and opens another one after a while, to the next address. */
  #lost(why: string): void {
    const socket = this.#socket;
    if (!socket || this.#closed) return;
    this.#socket = null;
    this.#welcomed = false;
    // Not close(): that would wait for an answer of the other end, which may be gone.
    socket.terminate();
    if (this.#trouble !== why) this.#log('warn', `no connection to the authority: ${why}`);
    this.#trouble = why;
    this.#at = (this.#at + 1) % this.#urls.length;
    const most = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(this.#failures++, 10));
    // A random part of the pause, so that verifiers that lose a node together do not return together.
    this.#stopTimer = this.#clock.after(Math.random() * most, () => this.#connect());
  }
}
