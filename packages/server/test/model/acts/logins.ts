/** Logins: by password in each family, vouched for by the service, and in a crowd. */
import type { AdminLogout, Login, Of } from '../commands.ts';
import type { Grant } from '../promised.ts';
import { checkCredentials } from '../look.ts';
import { type Issued, issuedOf, type Play } from '../play.ts';
import { cookieOf, SERVICE_KEY } from '../../support.ts';
import { logOutV1, endAsAdministrator } from './logouts.ts';

const LOGIN_PATHS: Record<Login, string> = {
  v1: '/v1/login',
  'v1-cookie': '/v1/login',
  '001': '/auth/login',
  '002': '/api/auth/login',
  '003': '/api/v1/auth/login',
  '004': '/auth/login',
};
const LOGIN_GRANTS: Record<Login, Grant> = {
  v1: 'bearer',
  'v1-cookie': 'cookie',
  '001': 'bearer',
  '002': 'session',
  '003': 'opaque',
  '004': 'cookie',
};
const LOGIN_APPS = { '001': 'envelope', '002': 'session-id', '003': 'token', '004': 'cookie' } as const;
/** More sessions than a logout marks at once; its count is then a least count. */
const CROWD = 101;
export async function logIn(play: Play, command: Of<'log in'>): Promise<void> {
  const { reference } = play;
  const user = play.user(command.user);
  const grant = LOGIN_GRANTS[command.as];
  const own = command.as === 'v1' || command.as === 'v1-cookie';
  const password = command.wrong ? 'mistaken' : user.password;
  const body = {
    [command.as === '002' ? 'username' : 'email']: user.email,
    password,
    ...(grant === 'cookie' ? { transport: 'cookie' } : {}),
    ...(own ? { client_id: command.app } : {}),
    ...(own && command.device !== null ? { device: { id: command.device } } : {}),
  };
  // A browser that had a session in its cookie brings it along.
  const earlier = command.earlier && play.credential(command.earlier, 'cookie');
  const good = reference.mayLogIn(user, password);
  const answer = await play.call(
    'POST',
    LOGIN_PATHS[command.as],
    { body, ...(earlier ? { cookie: earlier.text } : {}) },
    good ? 200 : 401,
  );
  if (!good) return;
  const app = own ? command.app : LOGIN_APPS[command.as as keyof typeof LOGIN_APPS];
  const issued = issuedOf(answer);
  const cookie = grant === 'cookie' ? cookieOf(answer) : undefined;
  await play.begun(issued, cookie, { user, app, device: own ? command.device : null, grant });
  // It is ended by a login that sets a cookie in its place; a login for tokens leaves it.
  const replaced = earlier && grant === 'cookie' ? reference.open(earlier, false) : null;
  if (replaced)
    reference.end(
      { scope: 'sessions', sids: [replaced.sid] },
      'replaced_by_login',
      `user:${replaced.user.id}`,
    );
}

export async function vouch(play: Play, { user: nth, transport, app, device }: Of<'vouch'>): Promise<void> {
  const user = play.user(nth);
  const body = {
    user_id: user.id,
    transport,
    client_id: app,
    ...(device === null ? {} : { device: { id: device } }),
  };
  const good = play.reference.mayHaveSessions(user);
  const answer = await play.call(
    'POST',
    '/v1/admin/sessions',
    { bearer: SERVICE_KEY, body },
    good ? 200 : 404,
  );
  if (!good) return;
  const grant = transport === 'opaque' ? 'session' : transport;
  const issued = issuedOf(answer);
  await play.begun(issued, issued.cookie?.value, { user, app, device, grant });
}

export async function crowd(play: Play, { user: nth, device, scope }: Of<'crowd'>): Promise<void> {
  const { reference } = play;
  const user = play.user(nth);
  const body = { user_id: user.id, transport: 'opaque', device: { id: device }, count: CROWD };
  const good = play.reference.mayHaveSessions(user);
  const answer = await play.call(
    'POST',
    '/v1/admin/sessions',
    { bearer: SERVICE_KEY, body },
    good ? 200 : 404,
  );
  if (!good) return;
  for (const issued of answer.json['sessions'] as Issued[])
    await play.begun(issued, undefined, { user, app: 'default', device, grant: 'session' });
  if (scope === 'others') {
    const [spared] = reference.credentials.slice(-1);
    if (spared) await logOutV1(play, spared, false, { via: 'v1', scope });
  } else {
    const targets: Record<typeof scope, AdminLogout> = {
      user: { scope: 'user', user: nth },
      users: { scope: 'users', users: [nth + 1, nth] },
      device: { scope: 'device', user: nth, device },
      client: { scope: 'client', app: 'default' },
      everyone: { scope: 'everyone', off: 0 },
    };
    await endAsAdministrator(play, 'service', false, targets[scope]);
  }
  // At once: the rows may lag behind the answer.
  await checkCredentials(play.stage, reference, reference.credentials.slice(-5), nth);
}
