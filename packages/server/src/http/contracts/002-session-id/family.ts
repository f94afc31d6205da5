import type { Family } from '../../contract/family.ts';
import { onSessionIdFault } from './error.ts';
import { getUser } from './get-users-id.ts';
import { postLogin } from './post-login.ts';
import { postLogout } from './post-logout.ts';

/** Contract 002. */
export const SESSION_ID: Family = {
  name: 'session-id',
  grant: 'session',
  client: 'session-id',
  endpoints: [postLogin, getUser, postLogout],
  onFault: onSessionIdFault,
};
