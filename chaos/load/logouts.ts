import type { Cover } from '../lines.ts';
import { living, type World } from './world.ts';
import { credentialHeaders, type Session } from './session.ts';

/** A logout that is about to be sent. */
export interface Logout {
  scope: string;
  cover: Cover;
  /** The sessions that it ends as far as the clients know. Some of them are checked all the time. */
  ends: Session[];
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: object;
}

type Make = (world: World) => Logout | null;

const own =
  (
    scope: string,
    body: object,
    reach: (session: Session, world: World) => { cover: Cover; ends: Session[] },
  ): Make =>
  (world) => {
    const session = caller(world);
    if (!session) return null;
    const headers = credentialHeaders(session, world.settings.issuer);
    return { scope, method: 'POST', path: '/v1/logout', headers, body, ...reach(session, world) };
  };

/** Mostly a user who is logged in; sometimes one who may be logged out by now. */
function caller(world: World, fits: (session: Session) => boolean = () => true): Session | undefined {
  const { random } = world;
  if (random.chance(0.92)) return living(world, fits);
  const all = world.sessions.filter(fits).slice(-100);
  return all.length === 0 ? undefined : random.pick(all);
}

const ofUser = (world: World, user: number): Session[] =>
  world.sessions.filter((session) => session.user === user && !session.over);
const all = (session: Session, world: World) => ({
  cover: { user: session.user },
  ends: ofUser(world, session.user),
});
const one = (session: Session) => ({ cover: { s: [session.s] }, ends: [session] });
const others = (session: Session, world: World) => ({
  cover: { user: session.user, except: session.s },
  ends: ofUser(world, session.user).filter((other) => other !== session),
});

const selected: Make = (world) => {
  const session = caller(world, ({ sid }) => sid !== null);
  if (!session) return null;
  const ends = ofUser(world, session.user).filter(
    (other) => other.sid !== null && (other === session || world.random.chance(0.5)),
  );
  if (ends.length === 0) return null;
  const headers = credentialHeaders(session, world.settings.issuer);
  const body = { scope: 'selected', sessions: ends.map(({ sid }) => sid) };
  return { scope: 'selected', cover: covered(ends), ends, method: 'POST', path: '/v1/logout', headers, body };
};

const covered = (ends: Session[]): Cover => ({ s: ends.map(({ s }) => s) });

const device: Make = (world) => {
  const session = caller(world, (any) => any.device !== null);
  if (!session?.device) return null;
  const headers = credentialHeaders(session, world.settings.issuer);
  const named = world.random.chance(0.5) ? { device: session.device } : {};
  return {
    scope: 'device',
    ...onDevice(world, session.user, session.device),
    method: 'POST',
    path: '/v1/logout',
    headers,
    body: { scope: 'device', ...named },
  };
};

const onDevice = (world: World, user: number, name: string): { cover: Cover; ends: Session[] } => ({
  cover: { user, device: name },
  ends: ofUser(world, user).filter((session) => session.device === name),
});

const byId: Make = (world) => {
  const session = caller(world, ({ sid }) => sid !== null);
  const other = session && living(world, ({ sid, user }) => sid !== null && user === session.user);
  if (!other) return null;
  const headers = credentialHeaders(session, world.settings.issuer);
  return { scope: 'by id', ...one(other), method: 'DELETE', path: `/v1/sessions/${other.sid}`, headers };
};

const envelope: Make = (world) => {
  const session = caller(world, ({ kind }) => kind !== 'cookie');
  if (!session) return null;
  const headers = credentialHeaders(session, world.settings.issuer);
  return { scope: '001', ...all(session, world), method: 'POST', path: '/auth/logout', headers };
};

const sessionId: Make = (world) => {
  const session = caller(world, ({ kind }) => kind === 'session');
  if (!session) return null;
  const query = new URLSearchParams({ userId: String(session.user), sessionId: session.text });
  return {
    scope: '002',
    ...one(session),
    method: 'POST',
    path: `/api/auth/logout?${query.toString()}`,
    headers: {},
  };
};

const token: Make = (world) => {
  const session = caller(world, ({ kind }) => kind !== 'cookie');
  if (!session) return null;
  const headers = credentialHeaders(session, world.settings.issuer);
  return { scope: '003', ...all(session, world), method: 'POST', path: '/api/v1/auth/logout', headers };
};

const cookie =
  (
    scope: string,
    query: string,
    reach: (session: Session, world: World) => { cover: Cover; ends: Session[] },
  ): Make =>
  (world) => {
    const session = caller(world, ({ kind }) => kind === 'cookie');
    if (!session) return null;
    const headers = credentialHeaders(session, world.settings.issuer);
    const path = `/auth/logout${query}`;
    return { scope: `004, ${scope}`, ...reach(session, world), method: 'POST', path, headers };
  };

const service =
  (scope: string, reach: (world: World) => { cover: Cover; ends: Session[]; body: object } | null): Make =>
  (world) => {
    const reached = reach(world);
    if (!reached) return null;
    const headers = { authorization: `Bearer ${world.settings.serviceKey}` };
    return { scope: `admin, ${scope}`, method: 'POST', path: '/v1/admin/logout', headers, ...reached };
  };

const someSessions = service('sessions', (world) => {
  const ends = someLiving(world, 3);
  return ends.length === 0 ? null : named(ends);
});

const named = (ends: Session[]): { cover: Cover; ends: Session[]; body: object } => ({
  cover: covered(ends),
  ends,
  body: { scope: 'sessions', sessions: ends.map(({ sid }) => sid) },
});

function someLiving(world: World, count: number): Session[] {
  const found = Array.from({ length: count }, () => living(world, ({ sid }) => sid !== null));
  return [...new Set(found.filter((session) => session !== undefined))];
}

/** A list of sessions, and a separate logout of one of them. */
export function makeTwice(world: World): { list: Logout; one: Logout } | null {
  const ends = someLiving(world, 2);
  const list = service('list, a part twice', () => (ends.length < 2 ? null : named(ends)))(world);
  const one = service('one of a list', () => named(ends.slice(0, 1)))(world);
  return list && one && { list, one };
}

const user = service('user', (world) => {
  const id = world.random.pick(world.users);
  return { cover: { user: id }, ends: ofUser(world, id), body: { scope: 'user', user_id: id } };
});

const users = service('users', (world) => {
  const ids = [...new Set([world.random.pick(world.users), world.random.pick(world.people).id])];
  const ends = ids.flatMap((id) => ofUser(world, id));
  return { cover: { users: ids }, ends, body: { scope: 'users', user_ids: ids } };
});

const deviceOf = service('device', (world) => {
  const session = living(world, (any) => any.device !== null);
  if (!session?.device) return null;
  const reached = onDevice(world, session.user, session.device);
  return { ...reached, body: { scope: 'device', user_id: session.user, device_id: session.device } };
});

const client = service('client', (world) => {
  const ends = world.sessions.filter(({ client, over }) => client === 'kiosk' && !over);
  return { cover: { client: 'kiosk' }, ends, body: { scope: 'client', client_id: 'kiosk' } };
});

/** Its confirmation comes with the answer of a first, unconfirmed request: see send-logout.ts. */
const everyone = service('everyone', (world) => ({
  cover: { everyone: true },
  ends: world.sessions.filter(({ over }) => !over),
  body: { scope: 'everyone' },
}));

const MAKES: readonly (readonly [weight: number, make: Make])[] = [
  [24, own('this', {}, one)],
  [8, own('others', { scope: 'others' }, others)],
  [7, own('all', { scope: 'all' }, all)],
  [8, own('this, not waited for', { wait: 'none' }, one)],
  [8, selected],
  [7, device],
  [6, byId],
  [5, envelope],
  [7, sessionId],
  [5, token],
  [4, cookie('this', '', one)],
  [2, cookie('others', '?scope=others', others)],
  [2, cookie('all', '?scope=all', all)],
  [8, someSessions],
  [4, user],
  [3, users],
  [4, deviceOf],
  [3, client],
  [1, everyone],
];
const WEIGHT = MAKES.reduce((sum, [weight]) => sum + weight, 0);

/** How to make a logout of each scope, the rarest last. */
export const scopes: readonly Make[] = MAKES.map(([, make]) => make);

export function makeLogout(world: World): Logout | null {
  let left = world.random.below(WEIGHT);
  for (const [weight, make] of MAKES) if ((left -= weight) < 0) return make(world);
  return null;
}
