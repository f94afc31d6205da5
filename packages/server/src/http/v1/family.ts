import type { Family } from '../contract/family.ts';
import { ADMIN_ENDPOINTS } from '../admin/endpoints.ts';
import { postIntrospect } from '../oauth/post-introspect.ts';
import { postRevoke } from '../oauth/post-revoke.ts';
import { OPERATOR_ENDPOINTS } from '../operator/endpoints.ts';
import { getFeed } from '../sockets/get-feed.ts';
import { getNotices } from '../sockets/get-notices.ts';
import { deleteSession } from './delete-sessions-id.ts';
import { onV1Fault } from './faults.ts';
import { getCheck } from './get-check.ts';
import { getSession } from './get-session.ts';
import { getSessions } from './get-sessions.ts';
import { patchSession } from './patch-sessions-id.ts';
import { postLogin } from './post-login.ts';
import { postLogout } from './post-logout.ts';
import { postPassword } from './post-password.ts';
import { postRefresh } from './post-refresh.ts';
import { postSessionConfirm } from './post-session-confirm.ts';

/** `/v1`, with everything else that answers problem details. */
export const V1: Family = {
  name: 'v1',
  grant: 'bearer',
  client: 'default',
  endpoints: [
    postLogin,
    postRefresh,
    getSession,
    getSessions,
    postLogout,
    deleteSession,
    patchSession,
    postSessionConfirm,
    postPassword,
    getCheck,
    ...ADMIN_ENDPOINTS,
    postIntrospect,
    postRevoke,
    getFeed,
    getNotices,
    ...OPERATOR_ENDPOINTS,
  ],
  onFault: onV1Fault,
  trial: {
    name: 'v1',
    via: 'bearer',
    endsAll: false,
    logIn: (user) => ({ path: '/v1/login', body: user }),
    credential: ({ access_token: text }: { access_token: string }) => ({ text }),
    logOut: () => ({ path: '/v1/logout', body: { scope: 'this' } }),
  },
};
