import { plainName } from '../domain/plain-name.ts';
import { type Grant, idleExpiry, type LiveSession } from '../domain/session.ts';
import { type Act, insertNewSession } from '../store/sessions.ts';
import type { Queryable } from '../store/statement.ts';
import { clientOf, asOfNow, type IssuedTokens, issueTokens, prepareTokens } from './issue-tokens.ts';
import { actOf, type Origin, type World } from '../world/world.ts';

/** What a client says of the device it runs on. */
interface DeviceInput {
  id?: string | undefined;
  name?: string | undefined;
}

/** What a session is opened as. */
export interface SessionTerms {
  /** The family that it is opened through, by its name. */
  contract: string;
  /** The credentials that it gets. */
  grant: Grant;
  clientId: string;
  device: DeviceInput;
}

export interface StartedSession {
  session: LiveSession;
  tokens: IssuedTokens;
}

/**
 * Opens a session for a user who has been authenticated, here or elsewhere. Always a new one: no identifier that a
 * client brings is ever taken over (session fixation).
 * Null when the user is gone or disabled, or the password has changed since it was proved.
 */
export async function startSession(
  world: World,
  subject: Subject,
  how: SessionTerms,
  origin: Origin,
): Promise<StartedSession | null> {
  const opened = await openSession(world, world.database, subject, how, actOf(world, origin, subject.actor));
  opened?.begun();
  return opened && opened.started;
}

/** A session whose row is written, and not yet committed perhaps. */
export interface OpenedSession {
  started: StartedSession;
  begun: () => void;
}

/** Who a session is opened for, and what was proved of them. */
interface Subject {
  userId: number;
  credentialVersion: number | null;
  actor: string;
}

/** The same as part of a transaction, after whose commit `begun` is called. Nothing that could fail is left for then. */
export async function openSession(
  world: World,
  on: Queryable,
  subject: Omit<Subject, 'actor'>,
  how: SessionTerms,
  act: Act,
): Promise<OpenedSession | null> {
  const { system, memory } = world;
  const client = clientOf(world, how.clientId);
  const { grant } = how;
  const asOf = asOfNow(world);
  const now = asOf.at;
  const expiresAt = new Date(now.getTime() + client.absoluteSeconds * 1000);
  const idleExpiresAt = idleExpiry(now, client.idleSeconds, expiresAt);
  const prepared = prepareTokens(world, grant, client, expiresAt);
  const facts = {
    sid: system.uuid(),
    userId: subject.userId,
    clientId: how.clientId,
    deviceId: how.device.id ?? system.uuid(),
    contract: how.contract,
    grant,
    idleSeconds: client.idleSeconds,
    idleExpiresAt,
    expiresAt,
  };
  // What the client calls it now comes before what the user called it; a device that is new has been called nothing.
  const givenName = plainName(how.device.name ?? '');
  const mark = memory.mark;
  const askedAtMs = system.monotonicMs();
  const inserted = await insertNewSession(
    on,
    {
      ...facts,
      deviceName: givenName === '' && how.device.id !== undefined ? null : givenName,
      credentialVersion: subject.credentialVersion,
      tokens: prepared.rows,
    },
    act,
  );
  if (!inserted) return null;
  const { born, deviceName, user, accessId } = inserted;
  const session: LiveSession = { ...facts, born, deviceName, createdAt: now, user };
  const tokens = await issueTokens(world, grant, prepared, session, accessId, asOf);
  return { started: { session, tokens }, begun };

  function begun(): void {
    // The database has just said that the session is open: its access tokens need not be looked up for the first check.
    if (tokens.access)
      memory.remember(
        tokens.access.text,
        session,
        now.getTime() + tokens.access.expiresInSeconds * 1000,
        mark,
        askedAtMs,
      );
    for (const text of [tokens.session, tokens.cookie])
      if (text !== undefined) memory.remember(text, session, expiresAt.getTime(), mark, askedAtMs);
    world.readers.committed({ type: 'session_started' });
    world.notices.changed(session.userId);
  }
}
