import { audit } from '../cluster/follow/audit.ts';
import { evictor } from '../cluster/follow/evictor.ts';
import type { DurableReader } from '../cluster/follow/reader.ts';
import { atMost } from '../system/timers.ts';
import type { World } from '../world/world.ts';

/** What a reader of the log does is durable and repeated until it is done: it is waited for so long, and no longer. */
const WAIT_MS = 200;

async function caughtUp({ readers, system }: World, reader: DurableReader): Promise<void> {
  // The reader has said in the system log what failed, and tries again.
  const done = readers.catchUp(reader).catch(() => undefined);
  await atMost(system, WAIT_MS, done, undefined);
}

/** Contract 001: the cached keys are gone when a logout answers, where Redis is there. */
export async function evicted(world: World): Promise<void> {
  if (world.redis?.healthy) await caughtUp(world, evictor);
}

/** Contract 004: a logout's row in `logs` is there when it answers. If it cannot be written the session has ended all the same. */
export const audited = (world: World): Promise<void> => caughtUp(world, audit);
