import type { Family } from '../../contract/family.ts';
import { COOKIE } from './detail.ts';
import { onCookieLogoutFault } from './log-out.ts';

/** Contract 004. Its paths are contract 001's, where the credential decides. */
export const COOKIE_SESSION: Family = {
  name: COOKIE.contract,
  grant: COOKIE.grant,
  client: 'cookie',
  tag: 'Contract 004: cookie',
  endpoints: [],
  onFault: onCookieLogoutFault,
  trial: {
    name: '004',
    via: 'cookie',
    endsAll: false,
    logIn: (user) => ({ path: '/auth/login', body: { ...user, transport: 'cookie' } }),
    credential: ({ data }: { data: { csrf_token: string } }) => ({ csrf: data.csrf_token }),
    logOut: () => ({ path: '/auth/logout' }),
  },
};
