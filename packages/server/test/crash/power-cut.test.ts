/**
 * The power is cut under load on the embedded database, again and again, and each time a disk is built as it may be then. On
 * each of them the database opens, and every acknowledged login and logout is there.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { rolling } from '../model/look.ts';
import { budget } from '../services/budget.ts';
import { freshData } from '../services/embedded-data.ts';
import { makeScratch, scratchRootInMemory } from '../services/scratch.ts';
import { reopenAuthority, type TestAuthority } from '../support.ts';
import { LedgerClient, emptyLedger, type Ledger, makeUser, replay, replayRefreshTokens } from './ledger.ts';
import { RecordedDisk } from './recorded-disk.ts';

const CUTS = budget('POWER_CUTS');
/** The workload, the moment of the power cut, and what is left of the disk. The bytes (ids, times) differ in each run. */
const SEED = Number(process.env['POWER_CUT_SEED'] ?? Date.now() % 1_000_000);
/** 0: to see that the test finds a database that does not sync. */
const FSYNC = process.env['POWER_CUT_FSYNC'] ?? '1';

const CLIENTS = 5;
/** Changes and syncs of files from one cut to the next, at most. */
const FAR_APART = 250;
/** Sessions from before that are presented after a cut, besides those of the last ones. */
const SAMPLE = 40;

const open = (CURFEW_DATA: string, fsync: string): Promise<TestAuthority> =>
  reopenAuthority({
    CURFEW_DATA,
    CURFEW_EMBEDDED_FSYNC: fsync,
    CURFEW_DEMO_ACCOUNTS: '0',
    CURFEW_ACCESS_TOKEN_SECONDS: '3600',
    // A server after a killed one waits for that one's verifiers until their lease expires.
    CURFEW_LEASE_MS: '200',
  });

test(`${CUTS} power cuts under load (POWER_CUT_SEED=${SEED}): every acknowledged logout and login stands`, {
  tags: 'long',
  timeout: 1_200_000,
}, async () => {
  const sides = rolling(SEED);
  const random = (): number => sides(2 ** 32) / 2 ** 32;
  // The disk holds what the record says, wherever the files are.
  const directory = freshData('power');
  const disk = new RecordedDisk(directory, inject('embeddedData'));
  const ledger = emptyLedger();
  let running = await open(directory, FSYNC);
  try {
    const clients: LedgerClient[] = [];
    for (let i = 0; i < CLIENTS; i++) {
      const id = await makeUser(running, `cut${i}@example.com`);
      clients.push(new LedgerClient(ledger, id, true, random));
    }
    const work = (until: () => boolean): Promise<unknown> =>
      Promise.all(clients.map((client) => client.work(running, until)));

    for (let cut = 0; cut < CUTS; cut++) {
      // Not removed with the file: a directory that did not open is kept for inspection until the next run.
      const after = join(makeScratch('cut', scratchRootInMemory()), 'data');
      const before = ledger.entries.length;
      let known: Ledger | undefined;
      let left = 1 + Math.floor(random() * FAR_APART);
      disk.onOperation = () => {
        if (known !== undefined || --left > 0) return;
        known = structuredClone(ledger);
        disk.buildAfterCut(after, random);
      };
      // Now and then the power goes while the server stops or starts: that is where checkpoints are.
      if (random() < 0.3) {
        const enough = ledger.answers + Math.floor(random() * 40);
        await work(() => known !== undefined || ledger.answers >= enough);
        await running.close();
        running = await open(directory, FSYNC);
      }
      await work(() => known !== undefined);
      try {
        await verify(after, known as unknown as Ledger, before, random);
      } catch (cause) {
        throw new Error(`cut ${cut + 1}, POWER_CUT_SEED=${SEED}: the disk is left in ${after}`, { cause });
      }
      rmSync(after, { recursive: true });
    }
    // Without work there was nothing to lose.
    expect(ledger.logouts).toBeGreaterThan(CUTS);
    expect(ledger.failures).toEqual([]);
  } finally {
    disk.onOperation = () => undefined;
    await running.close();
    disk.stop();
  }
});

/** @param since entries from here on are all presented */
async function verify(after: string, known: Ledger, since: number, random: () => number): Promise<void> {
  const { entries } = known;
  const old = Array.from({ length: Math.min(SAMPLE, since) }, () => entries[Math.floor(random() * since)]);
  // No further power cut here.
  const server = await open(after, '0');
  try {
    const presented = [...entries.slice(since), ...old.filter((entry) => entry !== undefined)];
    await replay(known, server, presented);
    await replayRefreshTokens(server, presented.slice(0, SAMPLE));
  } finally {
    await server.close();
  }
}
