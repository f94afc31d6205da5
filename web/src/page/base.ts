import { found } from './found.ts';

/** The path of the authority in this origin, without a slash at the end. Only for the server's own pages, which say it. */
export const base: string = (JSON.parse(found('state').textContent) as { base?: string }).base ?? '';
