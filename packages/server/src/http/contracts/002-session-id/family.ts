import type { Family } from '../../contract/family.ts';
import { onSessionIdFault } from './error.ts';
import { getUser } from './get-users-id.ts';
import { postLogin } from './post-login.ts';
import { postLogout } from './post-logout.ts';

interface LoginAnswer {
  data: { userId: number; sessionToken: string };
}

export const SESSION_ID: Family = {
  name: 'session-id',
  grant: 'session',
  client: 'session-id',
  tag: 'Contract 002: session-id',
  endpoints: [postLogin, getUser, postLogout],
  onFault: onSessionIdFault,
  trial: {
    name: '002',
    via: 'bearer',
    endsAll: false,
    logIn: ({ email: username, password }) => ({ path: '/api/auth/login', body: { username, password } }),
    credential: ({ data }: LoginAnswer) => ({ text: data.sessionToken }),
    logOut: ({ data: { userId, sessionToken: sessionId } }: LoginAnswer) => ({
      path: `/api/auth/logout?${new URLSearchParams({ userId: String(userId), sessionId }).toString()}`,
      bare: true,
    }),
  },
};
