import type { IncomingMessage } from 'node:http';
import { NOTICES_PROTOCOL, NOTICES_TOKEN } from '@curfew/protocol/notices';
import { type EndedSession, howEnded } from '../../actions/why-ended.ts';
import { parseBearer } from '../../domain/credentials.ts';
import { type Presented, readCredential } from '../../domain/presented.ts';
import type { LiveSession } from '../../domain/session.ts';
import type { World } from '../../world/world.ts';
import type { Metrics } from '../operator/metrics.ts';
import { admitUpgrade } from './admit-upgrade.ts';
import { getNotices } from './get-notices.ts';

/** Handshakes that ask the database at a time, so that thousands at once leave it to logouts. */
const ASKING = 4;
const WAITING = 2000;

type HandshakeRefusal = 'invalid_request' | 'not_authenticated' | 'forbidden' | 'unavailable';

/** @returns the listener; or how the session of a genuine credential ended; or the refusal */
type AdmitListener = (
  request: IncomingMessage,
  ipAddress: string | null,
) => Promise<LiveSession | EndedSession | HandshakeRefusal>;

/** Admits the devices that want notices: so many at a time, and so many each second. */
export function createAdmitListener(world: World, metrics: Metrics): AdmitListener {
  const { config, system } = world;
  const mayOpen = bucket(config.notices.perSecond, () => system.monotonicMs());
  const asking = gate(ASKING, WAITING);

  const judge: AdmitListener = async (request, ipAddress) => {
    const from = presentedBy(request, offeredBy(request), config.cookie.name);
    const caller = await admitUpgrade(world, getNotices, request, from, ipAddress);
    if (caller.kind === 'session') return caller.session;
    if (caller.kind === 'refused' && caller.code === 'forbidden') return 'forbidden';
    const credential = from.via === 'none' ? null : from.credential;
    return (credential && (await howEnded(world, credential))) ?? 'not_authenticated';
  };

  return async (request, ipAddress) => {
    if (!offeredBy(request).includes(NOTICES_PROTOCOL)) return 'invalid_request';
    const judged = await asking(() => judge(request, ipAddress));
    if (typeof judged === 'string' && judged !== 'full') return judged;
    if (judged !== 'full' && mayOpen()) return judged;
    metrics.noticesDropped('rate');
    return 'unavailable';
  };
}

const offeredBy = ({ headers }: IncomingMessage): string[] =>
  (headers['sec-websocket-protocol'] ?? '').split(',').map((one) => one.trim());

/** Reads the credential: the Authorization header, else a token offered as a subprotocol, else the cookie. Never the address. */
function presentedBy(request: IncomingMessage, offered: readonly string[], cookieName: string): Presented {
  const { authorization, cookie } = request.headers;
  const tokens = offered.filter((one) => one.startsWith(NOTICES_TOKEN));
  if (authorization === undefined && tokens.length > 0) {
    const [token = ''] = tokens;
    const text = token.slice(NOTICES_TOKEN.length);
    return { via: 'header', credential: tokens.length > 1 ? null : parseBearer(text), text };
  }
  return readCredential(authorization, cookie, cookieName);
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
