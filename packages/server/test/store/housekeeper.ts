import { onTestFinished } from 'vitest';
import { startHousekeeping } from '../../src/cluster/upkeep/housekeeping.ts';
import { SessionMemory } from '../../src/cluster/memory/session-memory.ts';
import type { Database } from '../../src/store/database.ts';
import { realSystem } from '../../src/system/real.ts';
import { quickPasswords } from '../races/node.ts';
import { ISSUER, recordingLog } from '../support.ts';

/** The housekeeping of a database at an instant, and what it logs. It keeps events for 400 days. It is closed with the test. */
export function openHousekeeping(
  database: Database,
  now: Date,
  auditRetentionDays = 400,
): { house: ReturnType<typeof startHousekeeping>; lines: string[] } {
  const { log, lines } = recordingLog();
  const system = { ...realSystem(log, quickPasswords()), now: () => now };
  const house = startHousekeeping({
    database,
    system,
    memory: new SessionMemory(system, 10, { judge: () => 'unsure', ends: () => false }),
    ownAudience: ISSUER,
    flushMs: () => 60_000,
    retentionDays: 90,
    eventsRetentionDays: 400,
    auditRetentionDays,
    onRanOut: () => undefined,
  });
  onTestFinished(() => house.close());
  return { house, lines };
}
