/** Nodes and verifiers at one address, behind which the database goes back: a standby takes over, or an older copy comes. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createVerifier, type Verifier } from '@curfew/verifier';
import { expect } from 'vitest';
import { type Authority, createAuthority } from '../../src/authority.ts';
import { migrate } from '../../src/store/migrate.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { realSystem } from '../../src/system/real.ts';
import { type MovingAddress, openMovingAddress } from '../services/moving-address.ts';
import { type PostgresServer, startPostgres, withClient } from '../services/postgres.ts';
import { PRIMARY_SETTINGS, type StandbyServer, startStandby } from '../services/standby.ts';
import { type Caller, callerOf, ISSUER, recordingLog, SERVICE_KEY, silent } from '../support.ts';
import { quickPasswords, until } from './node.ts';

export const LEASE_MS = 1000;

export interface Node {
  close: () => Promise<void>;
  authority: Authority;
  call: Caller;
  url: string;
  lines: string[];
}

export interface Stage {
  primary: PostgresServer;
  standby: StandbyServer;
  address: MovingAddress;
  /**
   * @param at the address of its database, when not the one of all
   * @param port its own, when it comes in place of another node
   */
  node: (at?: MovingAddress, port?: number) => Promise<Node>;
  follow: (node: Node) => Promise<Verifier>;
  /** The primary is stopped, the standby takes over without what it has not received. */
  failOver: () => Promise<void>;
}

/** What a test has opened, to be closed after it, the last first: `afterEach(closeAll)`. */
export const closers: (() => Promise<unknown>)[] = [];
export async function closeAll(): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close();
}

export async function openStage(
  leaseMs: number = LEASE_MS,
  settings: Record<string, string> = PRIMARY_SETTINGS,
): Promise<Stage> {
  const primary = await startPostgres({ settings });
  closers.push(() => primary.stop());
  const database = openPostgres({ url: primary.url, pool: 2, statementNames: true, log: silent });
  await migrate(database);
  await database.close();
  const standby = await startStandby(primary);
  closers.push(() => standby.stop());
  const address = await openMovingAddress(primary.port);
  closers.push(() => address.close());
  return {
    primary,
    standby,
    address,
    async node(at = address, port = 0) {
      const { log, lines } = recordingLog();
      const authority = await createAuthority({
        settings: {
          DATABASE_URL: at.instead(primary.url),
          CURFEW_LEASE_MS: String(leaseMs),
          CURFEW_SERVICE_KEYS: SERVICE_KEY,
          ISSUER,
        },
        log,
        system: { ...realSystem(log, quickPasswords()), log },
      });
      const server: Server = createServer(authority.listener);
      server.on('upgrade', authority.upgrade);
      await new Promise<void>((ready) => server.listen(port, '127.0.0.1', ready));
      let closing: Promise<void> | undefined;
      const close = (): Promise<void> => {
        closing ??= (async () => {
          authority.hangUp();
          server.closeAllConnections();
          server.close();
          await authority.close();
        })();
        return closing;
      };
      closers.push(close);
      return {
        close,
        authority,
        call: callerOf(authority.fetch),
        url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        lines,
      };
    },
    async follow(node) {
      const verifier = createVerifier({
        authority: node.url,
        serviceKey: SERVICE_KEY,
        audience: ISSUER,
        log: () => undefined,
      });
      closers.push(() => verifier.close());
      expect(await verifier.ready(20_000)).toBe(true);
      return verifier;
    },
    async failOver() {
      standby.cutOff();
      address.moveTo(null);
      await primary.kill();
      await standby.promote();
    },
  };
}

export interface Session {
  bearer: string;
  userId: number;
  sid: string;
  born: number;
}

export const claimsOf = (bearer: string): { born: number; sid: string; epoch?: string } =>
  JSON.parse(Buffer.from(bearer.split('.')[1] ?? '', 'base64url').toString()) as {
    born: number;
    sid: string;
    epoch?: string;
  };

let users = 0;
export async function newUser(node: Node): Promise<number> {
  const { status, json } = await node.call<{ user: { id: number } }>('POST', '/v1/admin/users', {
    bearer: SERVICE_KEY,
    body: { email: `u${++users}@example.com`, password: 'a long enough password' },
  });
  expect(status).toBeLessThan(300);
  return json.user.id;
}

export async function logIn(node: Node, userId: number): Promise<Session> {
  const { status, json, text } = await node.call<{ access_token: string }>('POST', '/v1/admin/sessions', {
    bearer: SERVICE_KEY,
    body: { user_id: userId },
  });
  if (status >= 300) throw new Error(text);
  const { born, sid } = claimsOf(json.access_token);
  return { bearer: json.access_token, userId, sid, born };
}

/** The answer of the node's check: 200 for alive. */
export const check = async (node: Node, { bearer }: Session): Promise<number> =>
  (await node.call('GET', '/v1/check', { bearer })).status;

/** A logout of users by a service; asked again while the database is away. */
export async function logOut(node: Node, body: object): Promise<Record<string, unknown>> {
  let answer: Record<string, unknown> = {};
  await until('the logout is answered', async () => {
    const { status, json } = await node.call('POST', '/v1/admin/logout', { bearer: SERVICE_KEY, body });
    answer = json as Record<string, unknown>;
    return status === 200;
  });
  return answer;
}

export const isFresh = (verifier: Verifier): Promise<void> =>
  until('the verifier is fresh', async () => verifier.freshness.state === 'fresh');

/** Positions are given out far above those that the standby knows, and above the time in microseconds. */
export const FAR = 3_000_000_000_000_000;
export const jump = (url: string): Promise<unknown> =>
  withClient(url, (client) => client.query(`select setval('positions', ${FAR})`));
