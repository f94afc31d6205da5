import type { LiveReader } from './reader.ts';

/**
 * Tells devices of endings. It has no place in the log: who listens is in the memory of one process, and a device that
 * connects is told first how its session stands.
 */
export const notices: LiveReader = {
  name: 'notices',
  does: 'notices to devices',
  wants: ['sessions_ended'],
  runs: 'live',
  open: ({ notices: board }) => ({ took: (ending, event) => board.took(ending, event) }),
};
