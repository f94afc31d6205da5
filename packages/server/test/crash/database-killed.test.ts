import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { budget } from '../services/budget.ts';
import { findPostgres, type PostgresServer, startPostgres } from '../services/postgres.ts';
import { type Answer, SERVICE_KEY } from '../support.ts';
import { LedgerClient, emptyLedger, makeUser, replay } from './ledger.ts';
import { type ServerChild, startServer } from './server-child.ts';

const OUTAGES = budget('CRASH_OUTAGES');
const LEASE_MS = 400;

const pause = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));

interface Spare {
  userId: number;
  jwt: string;
  opaque: string;
  cookie: string;
  csrf: string;
}

describe.skipIf(findPostgres() === undefined)('PostgreSQL killed under load', () => {
  let postgres: PostgresServer;
  let server: ServerChild;
  beforeAll(async () => {
    postgres = await startPostgres({ durable: true });
    server = await startServer({ DATABASE_URL: postgres.url, CURFEW_LEASE_MS: String(LEASE_MS) });
  });
  afterAll(async () => {
    server?.signal('SIGKILL');
    await server?.ended;
    await postgres?.stop();
  });

  /** Sessions that stay open until the outage. */
  async function openSpare(userId: number): Promise<Spare> {
    const open = async (transport: string): Promise<Answer['json']> => {
      const answer = await server.call('POST', '/v1/admin/sessions', {
        bearer: SERVICE_KEY,
        body: { user_id: userId, transport },
      });
      expect(answer.status).toBe(200);
      return answer.json;
    };
    const [jwt, opaque, cookie] = await Promise.all([open('bearer'), open('opaque'), open('cookie')]);
    return {
      userId,
      jwt: String(jwt['access_token']),
      opaque: String(opaque['session_token']),
      cookie: (cookie['cookie'] as { value: string }).value,
      csrf: String(cookie['csrf_token']),
    };
  }

  async function aliveOf({ jwt, opaque, cookie }: Spare): Promise<number[]> {
    const answers = [
      await server.call('GET', '/v1/check', { bearer: jwt }),
      await server.call('GET', '/v1/check', { bearer: opaque }),
      await server.call('GET', '/v1/check', { cookie }),
    ];
    return answers.map((answer) => answer.status);
  }

  /** Every contract's logout without a database, with the status and text of its failure. */
  async function failingLogouts(spare: Spare): Promise<void> {
    const v1 = await server.call('POST', '/v1/logout', { bearer: spare.jwt });
    expect(v1.status).toBe(503);
    expect(['not_logged_out', 'unavailable']).toContain(v1.json.code);
    const envelope = await server.call('POST', '/auth/logout', { bearer: spare.jwt });
    expect([envelope.status, envelope.json.success, envelope.json.code]).toEqual([
      503,
      false,
      'LOGOUT_FAILED',
    ]);
    const sessionId = await server.call(
      'POST',
      `/api/auth/logout?userId=${spare.userId}&sessionId=${spare.opaque}`,
    );
    expect([sessionId.status, sessionId.json.error]).toEqual([500, 'Logout failed: Internal server error']);
    const token = await server.call('POST', '/api/v1/auth/logout', { bearer: spare.jwt });
    expect([token.status, token.json]).toEqual([503, { message: 'Not logged out, try again.' }]);
    const cookie = await server.call('POST', '/auth/logout', { cookie: spare.cookie, csrf: spare.csrf });
    expect([cookie.status, cookie.json]).toEqual([
      500,
      { detail: { error_code: 'LOGOUT_FAILED', message: 'Not logged out, try again' } },
    ]);
  }

  test(`${OUTAGES} times: the server survives, serves again, and keeps its promises`, {
    tags: 'long',
    timeout: 600_000,
  }, async () => {
    const ledger = emptyLedger();
    const users: number[] = [];
    for (let i = 0; i < 4; i++) users.push(await makeUser(server, `outage${i}@example.com`));
    const spareUser = await makeUser(server, 'spare@example.com');
    const clients = users.map((id) => new LedgerClient(ledger, id, false));

    for (let outage = 0; outage < OUTAGES; outage++) {
      const spare = await openSpare(spareUser);
      expect(await aliveOf(spare)).toEqual([200, 200, 200]);
      let stop = false;
      const enough = ledger.answers + 20 + Math.floor(Math.random() * 30);
      const work = clients.map((client) => client.work(server, () => stop));
      while (ledger.answers < enough) await pause(1);
      await postgres.kill();
      stop = true;
      await Promise.all(work);

      // Memory may accept a live session until the lease expires, then nothing may. Never an ended one.
      const out = ledger.entries.filter((entry) => entry.state === 'out').slice(-10);
      const askOut = async (): Promise<void> => {
        for (const { bearer } of out)
          expect((await server.call('GET', '/v1/check', { bearer })).status).not.toBe(200);
      };
      await askOut();
      await failingLogouts(spare);
      await pause(LEASE_MS);
      await askOut();
      expect(await aliveOf(spare)).toEqual([503, 503, 503]);
      expect((await server.call('GET', '/healthz')).status).toBe(200);

      await postgres.restart();
      while ((await aliveOf(spare)).some((status) => status !== 200)) await pause(20);
      // The logouts of the outage reported failure, rightly: `aliveOf` was all 200 above.
      await replay(ledger, server, outage === OUTAGES - 1 ? ledger.entries : ledger.entries.slice(-120));
      const done = await server.call('POST', '/auth/logout', { bearer: spare.jwt });
      expect(done.status).toBe(200);
      expect(await aliveOf(spare)).toEqual([401, 401, 401]);
    }
    // Each failure had its contract's text.
    for (const { contract, status } of ledger.failures)
      expect([contract, status]).toEqual([contract, contract === '002' ? 500 : 503]);
    expect(ledger.logouts).toBeGreaterThan(OUTAGES);
    server.signal('SIGTERM');
    expect(await server.ended).toBe(0);
  });
});
