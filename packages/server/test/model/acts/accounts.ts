/** Changes of accounts, and of passwords. */
import type { By, Of } from '../commands.ts';
import type { User } from '../promised.ts';
import { type Caller, isForCurfew, issuedOf, type Play } from '../play.ts';
import { cookieOf } from '../../support.ts';

export async function changeUser(
  play: Play,
  { by, forged, user: nth, role, disabled }: Of<'change user'>,
): Promise<void> {
  const user = play.changed(nth, by);
  const name = play.newName();
  const body = {
    name,
    ...(role === null ? {} : { role }),
    ...(disabled === null ? {} : { disabled }),
    // The last administrator has its own tests.
    confirm_last_administrator: true,
  };
  const caller = await change(play, 'PATCH', user, '', by, forged, body);
  if (caller) play.reference.change(user, { name, role, disabled }, caller.session, caller.by);
}

export async function deleteUser(play: Play, { by, forged, user: nth }: Of<'delete user'>): Promise<void> {
  const user = play.changed(nth, by);
  const caller = await change(play, 'DELETE', user, '', by, forged, {
    confirm_last_administrator: true,
  });
  if (caller) play.reference.delete(user, caller.by);
}

export async function resetPassword(
  play: Play,
  { by, forged, user: nth }: Of<'reset password'>,
): Promise<void> {
  const user = play.changed(nth, by);
  const password = play.newPassword();
  const caller = await change(play, 'POST', user, '/password', by, forged, { password });
  if (caller) play.reference.setPassword(user, password, caller.session, 'password_reset', caller.by);
}

/** Asks for a change of a user; returns the actor when it goes through. */
async function change(
  play: Play,
  method: 'PATCH' | 'DELETE' | 'POST',
  user: User,
  what: string,
  by: By,
  forged: boolean,
  body?: unknown,
): Promise<Extract<Caller, { status: 200 }> | null> {
  const caller = play.administrator(by, forged);
  const done = method === 'DELETE' ? 204 : 200;
  const status = caller.status !== 200 ? caller.status : user.deleted ? 404 : done;
  const asked = play.askingBy(by, forged);
  await play.call(
    method,
    `/v1/admin/users/${user.id}${what}`,
    body === undefined ? asked : { ...asked, body },
    status,
  );
  return caller.status === 200 && !user.deleted ? caller : null;
}

export async function changePassword(
  play: Play,
  { who, forged, wrong }: Of<'change password'>,
): Promise<void> {
  const credential = play.credential(who, null);
  if (!credential) return;
  const caller = play.changer(credential, forged);
  const { session } = credential;
  const { user } = session;
  const body = {
    current_password: wrong ? 'mistaken' : user.password,
    new_password: play.newPassword(),
  };
  const status = caller.status !== 200 ? caller.status : !isForCurfew(session) ? 403 : wrong ? 401 : 200;
  const answer = await play.call(
    'POST',
    '/v1/password',
    { ...play.asking(credential, forged), body },
    status,
  );
  if (status !== 200) return;
  const by = `user:${user.id}`;
  play.reference.end({ scope: 'sessions', sids: [session.sid] }, 'renewed', by);
  play.reference.setPassword(user, body.new_password, session, 'password_changed', by);
  const issued = issuedOf(answer);
  const cookie = issued.csrf_token === undefined ? undefined : cookieOf(answer);
  const { app, device, grant } = session;
  await play.begun(issued, cookie, { user, app, device, grant });
}
