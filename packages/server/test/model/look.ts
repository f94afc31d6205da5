/** Presents every issued credential to a node, and compares the answer with the reference. */
import { expect } from 'vitest';
import type { Answer, CallOptions } from '../support.ts';
import type { Credential, Reference, Session, User } from './promised.ts';
import type { Stage } from './stage.ts';

interface Way {
  path: (session: Session) => string;
  /** Whether being asked here counts as using the session. */
  use: boolean;
  /** The user and the session in the answer. */
  says: (answer: Answer, session: Session) => void;
}

const isUser = (said: unknown, { user }: Session): void =>
  expect(said).toMatchObject({ id: user.id, email: user.email, name: user.name, role: user.role });

/** Where asking changes nothing. */
const STATUS: Way = {
  path: () => '/v1/session',
  use: false,
  says({ json }, session) {
    expect(json['session']).toMatchObject({ id: session.sid, client_id: session.app });
    isUser(json['user'], session);
  },
};
const CHECK: Way = {
  path: () => '/v1/check',
  use: true,
  says({ headers }, session) {
    expect({
      subject: headers.get('curfew-subject'),
      session: headers.get('curfew-session'),
      client: headers.get('curfew-client'),
      role: headers.get('curfew-role'),
    }).toEqual({
      subject: String(session.user.id),
      session: session.sid,
      client: session.app,
      role: session.user.role,
    });
  },
};
/** Where any credential can be shown. */
const WAYS: Way[] = [
  CHECK,
  CHECK,
  STATUS,
  {
    path: () => '/auth/profile',
    use: true,
    says: ({ json }, session) => isUser(json['data'], session),
  },
  {
    path: () => '/auth/workspace',
    use: true,
    says: ({ json }, session) => expect(json['data']).toMatchObject({ user_id: session.user.id }),
  },
];
/** Contracts 002 and 003 know the Authorization header alone. */
const HEADER_WAYS: Way[] = [
  ...WAYS,
  {
    path: () => '/api/v1/auth/status',
    use: false,
    says: ({ json }, session) => isUser(json['user'], session),
  },
  {
    path: ({ user }) => `/api/users/${user.id}`,
    use: true,
    says: ({ json }, session) => isUser(json, session),
  },
];

export async function checkEveryCredential(stage: Stage, reference: Reference, dice: number): Promise<void> {
  await checkCredentials(stage, reference, reference.credentials, dice);
  for (const user of reference.users) await compareDevices(stage, reference, user, rolling(dice + 1));
}

/** Each at a node and in a way that the dice choose. */
export async function checkCredentials(
  stage: Stage,
  reference: Reference,
  credentials: readonly Credential[],
  dice: number,
): Promise<void> {
  const next = rolling(dice);
  for (const credential of credentials) {
    const at = next(2);
    // Over the wire the answer may come from before the router.
    if (credential.kind !== 'cookie' && next(3) === 0) {
      const status = await stage.checker(at).check(credential.text);
      expect(status, describe(reference, credential, 'the quick check')).toBe(
        reference.open(credential, true) ? 200 : 401,
      );
      continue;
    }
    const ways = credential.kind === 'cookie' ? WAYS : HEADER_WAYS;
    await checkBy(ways[next(ways.length)] as Way, stage, reference, credential, at);
  }
}

/** Once, at a node, without using the session. */
export async function checkQuietly(
  stage: Stage,
  reference: Reference,
  credential: Credential,
  at: number,
): Promise<void> {
  await checkBy(STATUS, stage, reference, credential, at);
}

async function checkBy(
  way: Way,
  stage: Stage,
  reference: Reference,
  credential: Credential,
  at: number,
): Promise<void> {
  const path = way.path(credential.session);
  const answer: Answer = await stage.node(at).call('GET', path, shown(credential));
  const session = reference.open(credential, way.use);
  expect(answer.status, describe(reference, credential, path)).toBe(session ? 200 : 401);
  if (session) way.says(answer, session);
}

/** "My devices" lists the user's live sessions, whichever of them asks. */
async function compareDevices(
  stage: Stage,
  reference: Reference,
  user: User,
  next: (sides: number) => number,
): Promise<void> {
  const open = reference.credentials.filter(
    (one) => one.session.user === user && reference.open(one, false) !== null,
  );
  const asking = open[next(open.length)];
  if (!asking) return;
  reference.open(asking, true);
  const answer: Answer = await stage.node(next(2)).call('GET', '/v1/sessions', shown(asking));
  expect(answer.status).toBe(200);
  const said = answer.json['sessions'] as {
    id: string;
    client_id: string;
    current: boolean;
    device: { id: string };
  }[];
  const seen = said.map(({ id, client_id, device, current }) => [id, client_id, device.id, current].join());
  const live = reference.liveSessions(user);
  const meant = live.map(({ sid, app, device }) => [sid, app, device, sid === asking.session.sid].join());
  expect(new Set(seen), `the devices of user ${user.id}`).toEqual(new Set(meant));
}

function shown({ kind, text }: Credential): CallOptions {
  return kind === 'cookie' ? { cookie: text } : { bearer: text };
}

function describe(reference: Reference, { kind, session, expiresAt }: Credential, where: string): string {
  const left = (until: number): number => (until - reference.now) / 1000;
  const state = session.ended ? `ended (${session.ended.reason})` : 'not ended';
  return `${where}: ${kind} of session ${reference.sessions.indexOf(session)}, which is ${state}; seconds left: ${left(expiresAt)}, idle ${left(session.idleEndsAt)}, absolute ${left(session.endsAt)}`;
}

/** The same numbers for the same seed (mulberry32). */
export function rolling(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % Math.max(1, sides);
  };
}
