import type { Family } from '../../contract/family.ts';
import { getStatus } from './get-status.ts';
import { onTokenFault } from './message.ts';
import { postLogin } from './post-login.ts';
import { postLogout } from './post-logout.ts';
import { postRefresh } from './post-refresh.ts';

export const TOKEN: Family = {
  name: 'token',
  grant: 'opaque',
  client: 'token',
  tag: 'Contract 003: token',
  endpoints: [postLogin, postRefresh, getStatus, postLogout],
  onFault: onTokenFault,
  trial: {
    name: '003',
    via: 'bearer',
    endsAll: true,
    logIn: (user) => ({ path: '/api/v1/auth/login', body: user }),
    credential: ({ access_token: text }: { access_token: string }) => ({ text }),
    logOut: () => ({ path: '/api/v1/auth/logout' }),
  },
};
