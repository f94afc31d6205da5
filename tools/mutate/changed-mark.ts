import { join } from 'node:path';

/** The sources of this lane that have changed and are not loaded yet. */
export const CHANGED = join(process.cwd(), '.changed');
