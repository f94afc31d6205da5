import type { Family } from '../../contract/family.ts';
import { onEnvelopeFault } from './envelope.ts';
import { getProfile } from './get-profile.ts';
import { getWorkspace } from './get-workspace.ts';
import { postLogin } from './post-login.ts';
import { postLogout } from './post-logout.ts';
import { postRefresh } from './post-refresh.ts';

/** Contract 001. */
export const ENVELOPE: Family = {
  name: 'envelope',
  grant: 'bearer',
  client: 'envelope',
  tag: 'Contract 001: envelope',
  endpoints: [postLogin, postRefresh, getProfile, getWorkspace, postLogout],
  onFault: onEnvelopeFault,
  trial: {
    name: '001',
    via: 'bearer',
    endsAll: true,
    logIn: (user) => ({ path: '/auth/login', body: user }),
    credential: ({ data }: { data: { access_token: string } }) => ({ text: data.access_token }),
    logOut: () => ({ path: '/auth/logout' }),
  },
};
