import { audit } from '../cluster/follow/audit.ts';
import { evictor } from '../cluster/follow/evictor.ts';
import type { DurableReader } from '../cluster/follow/log-reader.ts';
import { atMost } from '../system/timers.ts';
import type { World } from '../world/world.ts';

/** A reader's work is durable and repeated until it is done, so the wait for it is bounded. */
const WAIT_MS = 200;

async function caughtUp({ readers, system }: World, reader: DurableReader): Promise<void> {
  // The reader has logged what failed, and tries again.
  const done = readers.catchUp(reader).catch(() => undefined);
  await atMost(system, WAIT_MS, done, undefined);
}

/** Contract 001: the cached keys are gone when a logout answers, if Redis is up. */
export async function evicted(world: World): Promise<void> {
  if (world.redis?.healthy) await caughtUp(world, evictor);
}

/** Contract 004: a logout's row in `logs` is written when it answers. If that fails, the session has ended all the same. */
export const audited = (world: World): Promise<void> => caughtUp(world, audit);
