import type { Family } from './contract/family.ts';
import { ENVELOPE } from './contracts/001-envelope/family.ts';
import { SESSION_ID } from './contracts/002-session-id/family.ts';
import { TOKEN } from './contracts/003-token/family.ts';
import { COOKIE_SESSION } from './contracts/004-cookie/family.ts';
import { V1 } from './v1/family.ts';

/** Every API of this server. To add one, add its folder and its line here. */
export const FAMILIES: readonly Family[] = [V1, ENVELOPE, SESSION_ID, TOKEN, COOKIE_SESSION];
