/** The rounds of the crash tests: load, SIGKILL at a random moment, restart on the same data, replay. */
import { expect } from 'vitest';
import { LedgerClient, emptyLedger, makeUser, replay, replayRefreshTokens } from './ledger.ts';
import { type ServerChild, startServer } from './server-child.ts';

const CLIENTS = 5;
const pause = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));

/** Old sessions that are presented after each round; after the last one all are. */
const SAMPLE = 30;

export async function killUnderLoad(settings: Record<string, string>, rounds: number): Promise<void> {
  const ledger = emptyLedger();
  let server: ServerChild | undefined;
  try {
    server = await startServer(settings);
    const users: number[] = [];
    for (let i = 0; i < CLIENTS; i++) users.push(await makeUser(server, `crash${i}@example.com`));
    const clients = users.map((id) => new LedgerClient(ledger, id, true));
    for (let round = 0; round < rounds; round++) {
      const running = server;
      const before = ledger.entries.length;
      // By answers, not by time: a slow machine must not kill before there was anything to lose.
      const enough = ledger.answers + 8 + Math.floor(Math.random() * 40);
      const work = clients.map((client) => client.work(running, () => false));
      while (ledger.answers < enough) await pause(1);
      await pause(Math.random() * 5);
      running.signal('SIGKILL');
      expect(await running.ended).toBe('SIGKILL');
      await Promise.all(work);
      server = await startServer(settings);
      const old = Array.from(
        { length: Math.min(SAMPLE, before) },
        () => ledger.entries[Math.floor(Math.random() * before)],
      );
      const recent = ledger.entries.slice(before);
      await replay(ledger, server, [...recent, ...old.filter((entry) => entry !== undefined)]);
    }
    await replay(ledger, server, ledger.entries);
    await replayRefreshTokens(server, ledger.entries.slice(-300));
    // Without work there was nothing to lose.
    expect(ledger.logouts).toBeGreaterThan(rounds);
    expect(ledger.entries.length).toBeGreaterThan(rounds);
    expect(ledger.failures).toEqual([]);
    server.signal('SIGTERM');
    expect(await server.ended).toBe(0);
  } finally {
    server?.signal('SIGKILL');
    await server?.ended;
  }
}
