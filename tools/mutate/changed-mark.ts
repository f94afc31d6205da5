import { join } from 'node:path';

/** Names the sources that have changed, until they are loaded. */
export const CHANGED = join(import.meta.dirname, '../../.changed');
