import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  agreedVersion,
  decodeVerifierMessage,
  encodeNodeMessage,
  FEED_CLOSED,
  FEED_VERSION,
  inVersion1,
  type NodeMessage,
  partMessage,
  type VerifierMessage,
} from '@curfew/protocol/feed-messages';
import type { Subscription } from '@curfew/protocol/publisher';
import { type WebSocket, WebSocketServer } from 'ws';
import type { World } from '../../world/world.ts';
import { later, pauseFor } from '../../system/timers.ts';
import { audiencesOf } from '../../domain/audience.ts';
import { readCredential } from '../../domain/presented.ts';
import type { Caller, PresentedKey } from '../../actions/admit.ts';
import { watchKey } from '../../actions/watch-key.ts';
import { admitUpgrade } from './admit-upgrade.ts';
import { getFeed } from './get-feed.ts';
import { refuseUpgrade } from './refuse-upgrade.ts';
import { upgradeAnswered } from './upgrade-answers.ts';

/** A verifier's messages are short; batches of activity are the longest. */
const MAX_MESSAGE_BYTES = 1024 * 1024;
/**
 * A verifier with this much unread cannot keep up: it is dropped, waited for, and begins anew. Without a close frame, which would
 * queue behind the unread bytes.
 */
const MAX_UNREAD_BYTES = 8 * 1024 * 1024;
/** Before the next piece of a snapshot, at most this much may be unread. */
const SNAPSHOT_UNREAD_BYTES = 512 * 1024;
const HELLO_MS = 5000;
const LAST_CLOSE_MS = 1000;
/** A verifier renews four times in a lease. One that is silent for this many leases is gone. */
const SILENT_LEASES = 5;
/** The oldest use of a session that a verifier may report. */
const USED_AGO_MS = 600_000;

/** The verifiers that are connected to this process. */
interface Feeds {
  /** Answers `GET /v1/feed` with `Upgrade: websocket`. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, ipAddress: string | null): void;
  /** Closes every feed, because the node stops. */
  close(): void;
}

export function createFeeds(world: World): Feeds {
  const { config, system } = world;
  const log = system.log.child({ part: 'feed' });
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: false,
  });
  const stops = new Set<() => void>();
  const stopAll = (): void => {
    for (const stop of stops) stop();
  };
  world.nodes.onBack(stopAll);
  // The next connection begins with the new ones.
  world.nodes.onTerms(stopAll);

  return {
    upgrade(request, socket, head, ipAddress) {
      const from = readCredential(request.headers.authorization, undefined, config.cookie.name);
      socket.on('error', ignore);
      admitUpgrade(world, getFeed, request, from, ipAddress)
        .then((caller) => {
          if (socket.destroyed) return;
          if (caller.kind === 'refused') {
            const { code, retryAfterSeconds: seconds } = caller;
            return refuseUpgrade(
              socket,
              code,
              seconds === undefined ? {} : { 'Retry-After': String(seconds) },
            );
          }
          socket.off('error', ignore);
          server.handleUpgrade(request, socket, head, (ws) => {
            upgradeAnswered(socket, 101);
            const stop = serveFeed(world, ws, request.socket.remoteAddress ?? null, keyOf(caller));
            stops.add(stop);
            ws.once('close', () => stops.delete(stop));
          });
        })
        .catch((err: unknown) => {
          log.warn({ err }, 'could not open the feed of a verifier');
          socket.destroy();
        });
    },
    close() {
      stopAll();
      server.close();
      log.debug('feeds closed');
    },
  };
}

/** A broken socket emits `close`. */
const ignore = (): void => undefined;

/** The API key of a caller that was let in; null: a service key of the settings. */
const keyOf = (caller: Caller): PresentedKey | null => (caller.kind === 'service' ? caller.key : null);

/** One verifier's connection, from its hello to its end. @returns a function that closes it because the node stops */
function serveFeed(
  world: World,
  ws: WebSocket,
  address: string | null,
  key: PresentedKey | null,
): () => void {
  const { config, system, keys } = world;
  const { node } = world.nodes;
  const log = system.log.child({ part: 'feed', ip_address: address });
  let feed: Subscription | null = null;
  let version = FEED_VERSION;
  let heardMs = system.monotonicMs();
  let shownKeys = '';
  /** As of when the verifier is fresh, by its last renewal. */
  let freshAsOfMs: number | null = null;
  /** The sessions whose use it may report: of its key's audience; null: any. */
  let reports: string | null = null;
  let unfollow = (): void => undefined;

  /** Every verifier gets the same message object, so it is encoded once. */
  const send = (message: NodeMessage): void => {
    if (ws.readyState !== ws.OPEN) return;
    try {
      ws.send(version === 1 ? writtenInVersion1(message) : written(message));
    } catch (error) {
      // The verifier lacks this message: on its next connection it begins anew.
      ws.terminate();
      throw error;
    }
    if (ws.bufferedAmount > MAX_UNREAD_BYTES) {
      log.warn({ unread: ws.bufferedAmount }, 'disconnected a verifier that does not keep up');
      // A closing handshake would queue behind the unread bytes.
      ws.terminate();
    }
  };
  const showKeys = (): void => {
    const published = keys.publish().keys.map((key) => ({ ...key }));
    const text = JSON.stringify(published);
    if (text === shownKeys) return;
    shownKeys = text;
    send({ t: 'keys', keys: published });
  };
  const close = (code: number, why: string): void => ws.close(code, why);
  const watched = watchKey(world, key, () => {
    log.warn(
      { key_id: key?.id, key_name: key?.name },
      'a feed was closed: its API key is revoked or expired',
    );
    // It gets no renewals either, so logouts wait for its lease at most.
    close(FEED_CLOSED.revoked, 'the key is revoked or expired');
    // The close frame may not be answered.
    later(system, LAST_CLOSE_MS, () => ws.terminate());
  });

  async function begin(epoch: string): Promise<void> {
    const { clients, audience: own } = world.clients;
    const audience = key?.clientId ? clients.get(key.clientId)?.audience : own;
    // The application of the key is gone, or not known here yet: another's audience would admit its tokens.
    if (audience === undefined)
      return close(FEED_CLOSED.restart, 'this node does not know the application of the key');
    reports = key?.clientId ? audience : null;
    send({
      t: 'welcome',
      v: version,
      node: node.id,
      lease: config.leaseMs,
      keep: node.keepMs,
      tokenLife: world.clients.tokenLifeSeconds * 1000,
      issuer: config.issuer,
      audiences: audiencesOf(world.clients),
      audience,
      cookies: [config.cookie.name],
      epoch,
    });
    showKeys();
    // First every ending from now on, then the snapshot, so that none is lost between the two.
    const joined = node.publisher.join(send, version);
    feed = joined;
    const { seq } = node.publisher;
    let parts = 0;
    for (const part of node.replica.parts()) {
      send(partMessage(part));
      parts++;
      // Other verifiers need their renewals meanwhile.
      await new Promise((next) => setImmediate(next));
      while (ws.bufferedAmount > SNAPSHOT_UNREAD_BYTES && ws.readyState === ws.OPEN)
        await pauseFor(system, 5);
      if (ws.readyState !== ws.OPEN) return;
    }
    send({ t: 'snapshot', seq, parts });
  }

  function renew(renewed: Subscription, n: number): void {
    showKeys();
    const ageMs = node.ageMs();
    if (ageMs < config.leaseMs) freshAsOfMs = system.monotonicMs() - ageMs;
    node.renew(renewed, n);
  }

  function hear(message: VerifierMessage): void {
    heardMs = system.monotonicMs();
    if (message.t === 'hello') {
      if (feed !== null) return close(FEED_CLOSED.protocol, 'hello was already sent');
      const agreed = agreedVersion(message);
      if (agreed === null) return close(FEED_CLOSED.version, `this node speaks version ${FEED_VERSION}`);
      version = agreed;
      helloCame();
      const { epoch } = node;
      if (epoch === null) return close(FEED_CLOSED.restart, 'this node is reading the log again');
      unfollow = world.followers.add({
        replica: message.replica.slice(0, 100),
        key: key && { id: key.id, name: key.name },
        address,
        since: system.now(),
        ageMs: () => (freshAsOfMs === null ? null : system.monotonicMs() - freshAsOfMs),
        unreadBytes: () => ws.bufferedAmount,
        behind: () => (feed ? node.publisher.seq - feed.acknowledged : 0),
      });
      begin(epoch).catch((err: unknown) => {
        log.error({ err }, 'a snapshot failed');
        ws.terminate();
      });
      return;
    }
    if (feed === null) return close(FEED_CLOSED.protocol, 'send hello first');
    switch (message.t) {
      case 'renew': {
        const { n } = message;
        const renewed = feed;
        return watched.whileLive(() => renew(renewed, n));
      }
      case 'ack':
        return node.publisher.acknowledge(feed, message.seq);
      case 'used': {
        const nowMs = system.now().getTime();
        return watched.whileLive(() => {
          const reporter = { keyId: key?.id ?? null, audience: reports };
          for (const [sid, agoMs] of message.sessions)
            if (UUID.test(sid))
              world.memory.report(sid, nowMs - Math.min(Math.max(agoMs, 0), USED_AGO_MS), reporter);
        });
      }
    }
  }

  const helloCame = later(system, HELLO_MS, () => close(FEED_CLOSED.protocol, 'no hello'));
  // A half-open connection sends nothing and does not end.
  const unwatch = system.every(config.leaseMs, () => {
    watched.judge();
    if (system.monotonicMs() - heardMs > Math.max(SILENT_LEASES * config.leaseMs, HELLO_MS)) ws.terminate();
  });
  // One Buffer a message, as is this library's default.
  ws.on('message', (data: Buffer, isBinary) => {
    try {
      if (isBinary) throw new Error('a verifier must send text');
      hear(decodeVerifierMessage(data.toString()));
    } catch (err) {
      log.warn({ err }, 'a verifier sent an invalid message');
      close(FEED_CLOSED.protocol, 'invalid message');
    }
  });
  ws.on('error', (err) => log.debug({ err }, 'the connection of a feed failed'));
  ws.on('close', () => {
    helloCame();
    unwatch();
    unfollow();
    watched.stop();
    if (feed) node.publisher.leave(feed);
  });
  return () => close(FEED_CLOSED.restart, 'this node is going away');
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Encodes each message object once. */
function encodeOnce(
  encode: (message: NodeMessage) => string | Uint8Array,
): (message: NodeMessage) => string | Uint8Array {
  const texts = new WeakMap<NodeMessage, string | Uint8Array>();
  return (message) => {
    let text = texts.get(message);
    if (text === undefined) {
      text = encode(message);
      texts.set(message, text);
    }
    return text;
  };
}
const written = encodeOnce(encodeNodeMessage);
const writtenInVersion1 = encodeOnce((message) => encodeNodeMessage(inVersion1(message)));
