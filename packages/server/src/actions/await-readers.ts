import { atMost } from '../system/timers.ts';
import type { World } from '../world/world.ts';

/** What a reader of the log does is durable and repeated until it is done: it is waited for so long, and no longer. */
const WAIT_MS = 200;

async function caughtUp(world: World, reader: { catchUp: () => Promise<unknown> }): Promise<void> {
  // The reader has said in the system log what failed, and tries again.
  const caughtUp = reader.catchUp().then(
    () => undefined,
    () => undefined,
  );
  await atMost(world.system, WAIT_MS, caughtUp, undefined);
}

/** Contract 001: the cached keys are gone when a logout answers, where Redis is there. */
export async function evicted(world: World): Promise<void> {
  const { evictor } = world.readers;
  if (evictor && world.redis?.healthy) await caughtUp(world, evictor);
}

/** Contract 004: a logout's row in `logs` is there when it answers. If it cannot be written the session has ended all the same. */
export const audited = (world: World): Promise<void> => caughtUp(world, world.readers.audit);
