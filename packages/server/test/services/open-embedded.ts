import type { Database } from '../../src/store/database.ts';
import { openEmbedded } from '../../src/store/embedded.ts';

/** Opens the embedded database without fsync: crash/power-cut.test.ts tests power cuts. */
export function openQuickly(directory: string, onStep?: (what: string) => void): Promise<Database> {
  return openEmbedded(directory, {
    fsync: false,
    ...(onStep && { onStep }),
    onFailure: (failure) => {
      throw failure;
    },
  });
}
