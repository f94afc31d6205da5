/** Logouts, by each family and by administrators. */
import { expect } from 'vitest';
import type { AdminLogout, By, Of, OwnLogout } from '../commands.ts';
import type { Credential, Session, Target, User } from '../promised.ts';
import type { Play } from '../play.ts';

export async function logOut(play: Play, { who, forged, how }: Of<'log out'>): Promise<void> {
  const credential = play.credential(who, how.via === '002' ? 'session' : null);
  if (!credential) return;
  switch (how.via) {
    case 'v1':
      return logOutV1(play, credential, forged, how);
    case '001+004':
      return credential.kind === 'cookie'
        ? logOut004(play, credential, forged, how.scope)
        : logOutAll(play, '/auth/logout', credential);
    case '002':
      return logOut002(play, credential, how.owner);
    case '003':
      return logOutAll(play, '/api/v1/auth/logout', credential);
  }
}

export async function logOutV1(
  play: Play,
  credential: Credential,
  forged: boolean,
  how: Extract<OwnLogout, { via: 'v1' }>,
): Promise<void> {
  const { reference } = play;
  const caller = play.changer(credential, forged);
  const { user, device, sid } = credential.session;
  const owner = { user: user.id };
  const by = `user:${user.id}`;
  const asked = play.asking(credential, forged);
  if (how.scope === 'one') {
    const named = play.session(how.session);
    const path = `/v1/sessions/${named.sid}`;
    const found = caller.status === 200 ? namedAnswers(play, named, user) : ([caller.status] as const);
    const answer = await play.call('DELETE', path, asked, ...found);
    if (answer.status !== 200) return;
    const ended = await endNamed(play, [named.sid], 'logout', by);
    expect(ended).toEqual([named]);
    play.compareEnded(answer, 1);
    return;
  }
  const chosen = how.scope === 'selected' ? how.sessions.map((one) => play.session(one)) : [];
  const body =
    how.scope === 'selected'
      ? { scope: how.scope, sessions: chosen.map((one) => one.sid) }
      : how.scope === 'device' && how.device !== null
        ? { scope: how.scope, device: how.device }
        : { scope: how.scope };
  const answer = await play.call('POST', '/v1/logout', { ...asked, body }, caller.status);
  if (caller.status !== 200) return;
  if (how.scope === 'selected') {
    // Another user's are left out.
    const own = chosen.filter((one) => one.user === user).map((one) => one.sid);
    play.compareEnded(answer, (await endNamed(play, own, 'logout', by)).length);
    return;
  }
  const targets: Record<typeof how.scope, Target> = {
    this: { scope: 'sessions', sids: [sid] },
    others: { scope: 'others', ...owner, spared: sid },
    all: { scope: 'user', ...owner },
    device: {
      scope: 'device',
      ...owner,
      device: how.scope === 'device' ? (how.device ?? device) : device,
    },
  };
  play.compareEnded(answer, reference.end(targets[how.scope], 'logout', by).length);
}

async function logOut004(
  play: Play,
  credential: Credential,
  forged: boolean,
  scope: string | null,
): Promise<void> {
  const { reference } = play;
  const caller = play.changer(credential, forged);
  const { user, sid } = credential.session;
  const status = caller.status === 200 && scope === 'nonsense' ? 400 : caller.status;
  const path = `/auth/logout${scope === null ? '' : `?scope=${scope}`}`;
  const answer = await play.call('POST', path, play.asking(credential, forged), status);
  if (status !== 200) return;
  play.confirmed(answer);
  const target: Target =
    scope === 'all'
      ? { scope: 'user', user: user.id }
      : scope === 'others'
        ? { scope: 'others', user: user.id, spared: sid }
        : { scope: 'sessions', sids: [sid] };
  reference.end(target, 'logout', `user:${user.id}`);
}

/** Contract 002: the token in the query is the credential. Every fault has one answer. */
async function logOut002(play: Play, credential: Credential, owner: number | null): Promise<void> {
  const { session } = credential;
  const user = owner === null ? session.user : play.user(owner);
  const isToken = credential.kind === 'session' && play.reference.now < credential.expiresAt;
  const found = isToken ? namedAnswers(play, session, user) : ([404] as const);
  const query = new URLSearchParams({ userId: String(user.id), sessionId: credential.text });
  const answer = await play.call('POST', `/api/auth/logout?${query.toString()}`, {}, ...found);
  if (answer.status !== 200) return;
  play.confirmed(answer);
  const ended = await endNamed(play, [session.sid], 'logout', `user:${session.user.id}`);
  expect(ended).toEqual([session]);
}

/** The answer to naming one's own or another user's session. */
function namedAnswers(play: Play, session: Session, by: User): readonly [number, ...number[]] {
  if (session.user !== by) return [404];
  if (play.reference.isAlive(session)) return [200];
  return play.reference.isIdle(session) ? [200, 404] : [404];
}

/**
 * Ends the named sessions. A session that expired idle may be ended once more or be left alone: its row learns late of its last
 * use, and must not spare one in use. The row must then agree with the answer.
 */
async function endNamed(play: Play, sids: string[], reason: string, by: string): Promise<Session[]> {
  const { reference } = play;
  const idle = reference.sessions.filter((one) => sids.includes(one.sid) && reference.isIdle(one));
  const rows =
    idle.length === 0
      ? []
      : await play.stage.place.rows<{ id: string }>(
          `select id from user_sessions where id = any($1::uuid[]) and ended_reason = $2
           and split_part(ended_by, '/', 1) = $3`,
          idle.map((one) => one.sid),
          reason,
          by,
        );
  const again = idle.filter((one) => rows.some((row) => row.id === one.sid));
  return reference.end({ scope: 'sessions', sids }, reason, by, again);
}

/** Contracts 001 and 003: by the header alone, and every session of the user. */
async function logOutAll(play: Play, path: string, credential: Credential): Promise<void> {
  const { reference } = play;
  const session = credential.kind === 'cookie' ? null : reference.open(credential, false);
  const answer = await play.call('POST', path, play.asking(credential, false), session ? 200 : 401);
  if (!session) return;
  play.confirmed(answer);
  reference.end({ scope: 'user', user: session.user.id }, 'logout', `user:${session.user.id}`);
}

export async function endAsAdministrator(
  play: Play,
  by: By,
  forged: boolean,
  target: AdminLogout,
): Promise<void> {
  const { reference } = play;
  const caller = play.administrator(by, forged);
  const asked = play.askingBy(by, forged);
  const path = '/v1/admin/logout';
  const meant = adminTarget(play, target);
  if (target.scope === 'everyone') {
    const count = reference.liveSessions().length;
    const confirm = target.off === null ? null : Math.max(0, count + target.off);
    const near = confirm !== null && Math.abs(confirm - count) <= Math.floor(count / 20);
    const status = caller.status !== 200 ? caller.status : near ? 200 : 409;
    const body = { scope: 'everyone', ...(confirm === null ? {} : { confirm }) };
    const answer = await play.call('POST', path, { ...asked, body }, status);
    if (status === 409) expect(answer.json['count']).toBe(count);
    if (caller.status !== 200 || status !== 200) return;
    play.compareEnded(answer, reference.end(meant, 'admin_logout', caller.by).length);
    return;
  }
  const answer = await play.call('POST', path, { ...asked, body: adminBody(meant) }, caller.status);
  if (caller.status !== 200) return;
  const ended =
    meant.scope === 'sessions'
      ? await endNamed(play, meant.sids, 'admin_logout', caller.by)
      : reference.end(meant, 'admin_logout', caller.by);
  play.compareEnded(answer, ended.length);
}

function adminTarget(play: Play, target: AdminLogout): Target {
  switch (target.scope) {
    case 'sessions':
      return { scope: 'sessions', sids: target.sessions.map((one) => play.session(one).sid) };
    case 'user':
      return { scope: 'user', user: play.user(target.user).id };
    case 'users':
      return { scope: 'users', users: target.users.map((one) => play.user(one).id) };
    case 'device':
      return { ...target, user: play.user(target.user).id };
    case 'client':
    case 'everyone':
      return target;
  }
}

function adminBody(target: Target): Record<string, unknown> {
  switch (target.scope) {
    case 'sessions':
      return { scope: target.scope, sessions: target.sids };
    case 'user':
      return { scope: target.scope, user_id: target.user };
    case 'users':
      return { scope: target.scope, user_ids: target.users };
    case 'device':
      return { scope: target.scope, user_id: target.user, device_id: target.device };
    case 'client':
      return { scope: target.scope, client_id: target.app };
    default:
      throw new Error(`an administrator has no scope ${target.scope}`);
  }
}
