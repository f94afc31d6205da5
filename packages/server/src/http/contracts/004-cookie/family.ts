import type { Family } from '../../contract/family.ts';
import { COOKIE, onCookieFault } from './detail.ts';
import { getProfile } from './get-profile.ts';
import { postLogin } from './post-login.ts';
import { postLogout } from './post-logout.ts';

/** Contract 004. It shares its paths with contract 001: the request says which of the two it means. */
export const COOKIE_SESSION: Family = {
  name: COOKIE.contract,
  grant: COOKIE.grant,
  client: 'cookie',
  tag: 'Contract 004: cookie',
  endpoints: [postLogin, getProfile, postLogout],
  onFault: onCookieFault,
  trial: {
    name: '004',
    via: 'cookie',
    endsAll: false,
    logIn: (user) => ({ path: '/auth/login', body: { ...user, transport: 'cookie' } }),
    credential: ({ data }: { data: { csrf_token: string } }) => ({ csrf: data.csrf_token }),
    logOut: () => ({ path: '/auth/logout' }),
  },
};
