import type { Family } from '../../contract/family.ts';
import { getStatus } from './get-status.ts';
import { onTokenFault } from './message.ts';
import { postLogin } from './post-login.ts';
import { postLogout } from './post-logout.ts';
import { postRefresh } from './post-refresh.ts';

/** Contract 003. */
export const TOKEN: Family = {
  name: 'token',
  grant: 'opaque',
  client: 'token',
  endpoints: [postLogin, postRefresh, getStatus, postLogout],
  onFault: onTokenFault,
};
