import { join } from 'node:path';

/** The sources that have changed and are not loaded yet. */
export const CHANGED = join(import.meta.dirname, '../../.changed');
