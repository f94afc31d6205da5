import { plainName } from '@curfew/protocol/reading/plain-name';
import type { GrantType } from '../domain/client-terms.ts';
import { type Grant, idleExpiry, type LiveSession, subjectOf } from '../domain/session.ts';
import type { Act } from '../store/act.ts';
import { insertNewSession, type Origin } from '../store/insert-session.ts';
import type { Queryable } from '../store/statement.ts';
import { asOfNow, type IssuedTokens, issueTokens, prepareTokens } from './issue-tokens.ts';
import { actOf, type RequestContext, type World } from '../world/world.ts';

/** The client's description of its device. */
interface DeviceInput {
  id?: string | undefined;
  name?: string | undefined;
}

/** The terms of a new session. */
export interface SessionTerms {
  /** The name of the family that it is opened through. */
  contract: string;
  /** The kind of its credentials. */
  grant: Grant;
  clientId: string;
  /** How it is opened; null: it replaces an open session of the client. */
  grantType: GrantType | null;
  device: DeviceInput;
  /** The open session that it is begun through, on the same device and until that ends, or that it replaces. */
  origin?: Origin;
  /** Whether a client's API key opens it. */
  ownClientOnly?: boolean;
}

export interface StartedSession {
  session: LiveSession;
  tokens: IssuedTokens;
}

/**
 * Opens a session for an authenticated user. Always a new one: an identifier from the client is never adopted (session fixation).
 * Null when the user is gone or disabled, the password has changed since it was verified, or the origin is over.
 */
export async function startSession(
  world: World,
  subject: Subject,
  how: SessionTerms,
  context: RequestContext,
): Promise<StartedSession | null> {
  const opened = await openSession(world, world.database, subject, how, actOf(world, context, subject.actor));
  opened?.begun();
  return opened && opened.started;
}

/** A session whose row is written, but perhaps not committed. */
export interface OpenedSession {
  started: StartedSession;
  begun: () => void;
}

/** The user of a new session, and the proof of the login. */
interface Subject {
  userId: number;
  credentialVersion: number | null;
  /** False: not if the user is an administrator. */
  admins?: boolean;
  actor: string;
}

/** Opens a session as part of a transaction; call `begun` after its commit. Nothing is left then that could fail. */
export async function openSession(
  world: World,
  on: Queryable,
  subject: Omit<Subject, 'actor'>,
  how: SessionTerms,
  act: Act,
): Promise<OpenedSession | null> {
  const { system, memory } = world;
  const client = world.clients.of(how.clientId);
  const { grant } = how;
  const asOf = asOfNow(world);
  const now = asOf.at;
  const expiresAt = new Date(now.getTime() + client.absoluteSeconds * 1000);
  const idleExpiresAt = idleExpiry(now, client.idleSeconds, expiresAt);
  const prepared = prepareTokens(world, grant, client, expiresAt);
  const facts = {
    sid: system.uuid(),
    userId: subject.userId,
    subject: subjectOf(subject.userId),
    clientId: how.clientId,
    ownClientOnly: how.ownClientOnly ?? false,
    deviceId: how.device.id ?? system.uuid(),
    contract: how.contract,
    grant,
    idleSeconds: client.idleSeconds,
    idleExpiresAt,
    expiresAt,
  };
  // The client's name for the device comes before the user's earlier one.
  const givenName = plainName(how.device.name ?? '');
  const mark = memory.mark;
  const askedAtMs = system.monotonicMs();
  const inserted = await insertNewSession(
    on,
    {
      ...facts,
      deviceName: givenName === '' && (how.device.id ?? how.origin) !== undefined ? null : givenName,
      credentialVersion: subject.credentialVersion,
      admins: subject.admins ?? true,
      grantType: how.grantType,
      origin: how.origin ?? null,
      tokens: prepared.rows,
    },
    act,
  );
  if (!inserted) return null;
  const { accessId, ...stored } = inserted;
  const session: LiveSession = { ...facts, ...stored, createdAt: now };
  const tokens = await issueTokens(world, grant, prepared, session, accessId, asOf);
  return { started: { session, tokens }, begun };

  function begun(): void {
    // The database has just confirmed that the session is open, so the first check of its access tokens needs no look-up.
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
