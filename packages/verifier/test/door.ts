/** A real authority behind a proxy that can be shut, and that can be told what to do with questions. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Authority } from '@curfew/server';
import type { System } from '../../server/src/system/system.ts';
import { type HandClock, passUntil, passWhile, timeOf } from '../../server/test/services/hand-clock.ts';
import { systemClock } from '../src/system-clock.ts';
import type { Verifier, VerifierOptions } from '../src/index.ts';
import { createVerifierBy } from '../src/feed-verifier.ts';
import {
  ISSUER,
  openAuthority,
  routeBackend,
  SERVICE_KEY,
  type TestAuthority,
} from '../../server/test/support.ts';

interface Door {
  url: string;
  /** Questions that came to the endpoint that verifiers ask. */
  asked: number;
  /** Feeds that were asked for. */
  feeds: number;
  /** Called with each question before the authority is; answers whether it has dealt with it. */
  onQuestion: ((req: IncomingMessage, res: ServerResponse, pass: () => void) => void) | null;
  /** Called with each wish for a feed; answers whether it has dealt with it. */
  onUpgrade: ((socket: Duplex) => boolean) | null;
  /** Ends every connection and takes no new one. */
  shut(): Promise<void>;
  /** Ends every feed. */
  cut(): void;
  /** From here on the feeds that are open say nothing and hear nothing, and do not end. */
  mute(): void;
  open(): Promise<void>;
}

async function openDoor(authority: Pick<Authority, 'listener' | 'upgrade'>): Promise<Door> {
  let server: Server | null = null;
  let port = 0;
  const upgraded = new Set<Duplex>();
  const door: Door = {
    url: '',
    asked: 0,
    feeds: 0,
    onQuestion: null,
    onUpgrade: null,
    async open() {
      const opened = createServer((req, res) => {
        if (req.url !== '/oauth/introspect') return authority.listener(req, res);
        door.asked++;
        const pass = (): void => authority.listener(req, res);
        if (door.onQuestion) door.onQuestion(req, res, pass);
        else pass();
      });
      opened.on('upgrade', (req, socket, head) => {
        door.feeds++;
        upgraded.add(socket);
        socket.once('close', () => upgraded.delete(socket));
        socket.on('error', () => socket.destroy());
        if (door.onUpgrade?.(socket)) return;
        authority.upgrade(req, socket, head);
      });
      await new Promise<void>((ready) => opened.listen(port, '127.0.0.1', ready));
      ({ port } = opened.address() as AddressInfo);
      door.url = `http://127.0.0.1:${port}`;
      server = opened;
    },
    cut() {
      for (const socket of upgraded) socket.destroy();
    },
    mute() {
      for (const socket of upgraded) {
        socket.pause();
        socket.write = () => true;
      }
    },
    async shut() {
      const shutting = server;
      server = null;
      if (!shutting) return;
      const over = new Promise((resolve) => shutting.close(resolve));
      shutting.closeAllConnections();
      door.cut();
      await over;
    },
  };
  await door.open();
  return door;
}

export interface Stage extends TestAuthority {
  door: Door;
  /** Connects a verifier, waits until it is fresh, and closes it with the stage. */
  connect: (more?: Partial<VerifierOptions>) => Promise<Verifier>;
}

/** Long enough that a busy machine does not lose it, short enough to wait for. */
export const LEASE_MS = 1000;

/** @param clock of the authority and its verifiers; default: the real one */
export async function openStage(
  settings: Record<string, string> = {},
  system: Partial<System> = {},
  clock?: HandClock,
): Promise<Stage> {
  // A hand clock runs on while PostgreSQL, a separate process, executes a statement; the embedded one holds it up.
  const on = await openAuthority(
    clock ? 'embedded' : routeBackend(),
    { CURFEW_LEASE_MS: String(LEASE_MS), ...settings },
    { system: { ...(clock && timeOf(clock)), ...system } },
  );
  const close = async (): Promise<void> => {
    await Promise.all(verifiers.map((verifier) => verifier.close()));
    await door.shut();
    await on.close();
  };
  const door = await openDoor(on.authority);
  const verifiers: Verifier[] = [];
  return {
    ...on,
    door,
    async connect(more = {}) {
      const verifier = createVerifierBy(clock ?? systemClock, {
        authority: door.url,
        serviceKey: SERVICE_KEY,
        audience: ISSUER,
        log: () => undefined,
        ...more,
      });
      verifiers.push(verifier);
      if (clock) await passUntil(clock, 'it is fresh', () => verifier.freshness.state === 'fresh');
      else if (!(await verifier.ready(60_000))) throw new Error(`not fresh:\n${verifier.metrics()}`);
      return verifier;
    },
    close: () => (clock ? passWhile(clock, close()) : close()),
  };
}
