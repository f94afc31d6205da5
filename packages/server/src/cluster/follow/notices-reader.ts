import type { LiveReader } from './log-reader.ts';

/**
 * Notifies devices of endings. Without a cursor: the listeners are in one process's memory, and a device that connects asks for
 * its session first.
 */
export const notices: LiveReader = {
  name: 'notices',
  does: 'notices to devices',
  wants: ['sessions_ended'],
  runs: 'live',
  open: ({ notices: board }) => ({ took: (ending, event) => board.took(ending, event) }),
};
