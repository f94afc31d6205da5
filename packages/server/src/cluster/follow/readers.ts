import { audit } from './audit.ts';
import { evictor } from './evictor.ts';
import { marker } from './marker.ts';
import { notices } from './notices-reader.ts';
import type { DurableReader, LogReader } from './log-reader.ts';

/** Every reader of the log. */
export const READERS: readonly LogReader[] = [audit, marker, evictor, notices];

/** Those with a cursor in the log, which can be behind. */
export const durableOf = (readers: readonly LogReader[]): DurableReader[] =>
  readers.filter((reader) => reader.runs !== 'live');
