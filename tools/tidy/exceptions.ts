/**
 * The files and functions that exceed the limits, with their lines. A number here may become smaller, and a row may go. Everything else
 * keeps within the limits, and a row that is not needed any more is a fault.
 */
import type { Size } from './sizes.ts';

/** Tables, which are as long as what they list. */
const TABLES: Size[] = [
  { path: 'simulator/mutations.ts', name: null, lines: 801 },
  { path: 'web/languages/en.ts', name: null, lines: 416 },
  { path: 'web/languages/pl.ts', name: null, lines: 482 },
];

/** Better whole. */
const WHOLE: Size[] = [
  // One state machine: each part reads and writes the session that all parts share. A piece would take ten of them as parameters.
  { path: 'packages/client/src/client.ts', name: null, lines: 446 },
  { path: 'packages/client/src/client.ts', name: 'createClient', lines: 391 },
  // The bundle may have 6,000 bytes and has 5,999: functions that pass each other what they share now cost more than is left.
  { path: 'packages/client/src/notices-socket.ts', name: 'createNoticesSocket', lines: 91 },
  { path: 'packages/client/src/pending-logouts.ts', name: 'createPendingLogouts', lines: 130 },
  // One class, whose methods are the steps of one protocol.
  { path: 'packages/protocol/src/node.ts', name: null, lines: 710 },
];

export const EXCEPTIONS: Size[] = [...TABLES, ...WHOLE];
