import { beginningOf } from '@curfew/protocol/access-token';
import { accessLifeSeconds, type Grant, type LiveSession } from '../domain/session.ts';
import { accessText, hashSecret, newSecret, type TokenKind } from '../domain/credentials.ts';
import type { KnownClient } from '../domain/client-terms.ts';
import type { World } from '../world/world.ts';

/** The credentials for the caller, available once. */
export interface IssuedTokens {
  /** An access token: a JWT, or contract 003's `<id>|<secret>`. */
  access?: { text: string; expiresInSeconds: number };
  refresh?: string;
  session?: string;
  cookie?: string;
}

const KINDS: Record<Grant, TokenKind[]> = {
  bearer: ['refresh'],
  opaque: ['access', 'refresh'],
  session: ['session'],
  cookie: ['cookie'],
};

interface PreparedTokens {
  secrets: Map<TokenKind, string>;
  rows: { hash: Buffer; kind: TokenKind; expiresAt: Date }[];
}

/** New secrets for a grant, and their rows. */
export function prepareTokens(
  world: World,
  grant: Grant,
  client: KnownClient,
  expiresAt: Date,
): PreparedTokens {
  const now = world.system.now();
  const secrets = new Map(KINDS[grant].map((kind) => [kind, newSecret(kind, world.system.randomBytes)]));
  const accessUntil = new Date(
    Math.min(now.getTime() + client.opaqueAccessSeconds * 1000, expiresAt.getTime()),
  );
  return {
    secrets,
    rows: [...secrets].map(([kind, secret]) => ({
      kind,
      hash: hashSecret(secret),
      expiresAt: kind === 'access' ? accessUntil : expiresAt,
    })),
  };
}

/** When the database was asked for a session, and the epoch known then; see `asOfNow`. */
export interface AsOf {
  at: Date;
  epoch: string | null;
}

/** Call it before the database is asked. */
export const asOfNow = (world: World): AsOf => ({ at: world.system.now(), epoch: world.nodes.node.epoch });

/**
 * The credentials' texts. A JWT is dated by the question to the database, not by its signing: a process that is suspended in
 * between must not give a session that ended meanwhile a whole token life, nor mark a session of a lost epoch with the next one.
 */
export async function issueTokens(
  world: World,
  grant: Grant,
  prepared: PreparedTokens,
  session: LiveSession,
  accessId: number | null,
  asOf: AsOf,
): Promise<IssuedTokens> {
  const { secrets } = prepared;
  const issued: IssuedTokens = {};
  const refresh = secrets.get('refresh');
  if (refresh !== undefined) issued.refresh = refresh;
  const cookie = secrets.get('cookie');
  if (cookie !== undefined) issued.cookie = cookie;
  const sessionToken = secrets.get('session');
  if (sessionToken !== undefined) issued.session = sessionToken;
  const access = secrets.get('access');
  if (access !== undefined && accessId !== null)
    issued.access = {
      text: accessText(accessId, access),
      expiresInSeconds: opaqueLife(world, session),
    };
  if (grant === 'bearer') issued.access = await signFor(world, session, asOf, world.system.uuid());
  return issued;
}

function opaqueLife({ system, clients }: World, session: LiveSession): number {
  const { opaqueAccessSeconds } = clients.of(session.clientId);
  const left = Math.floor((session.expiresAt.getTime() - system.now().getTime()) / 1000);
  return Math.max(1, Math.min(opaqueAccessSeconds, left));
}

/** Signs an access token as of an instant. The same instant and `jti` give the same claims. */
export async function signFor(
  world: World,
  session: LiveSession,
  { at, epoch }: AsOf,
  jti: string,
): Promise<{ text: string; expiresInSeconds: number }> {
  const client = world.clients.of(session.clientId);
  const life = accessLifeSeconds(at, client.accessTokenSeconds, session);
  const iat = Math.floor(at.getTime() / 1000);
  const { external, role } = session.user;
  const text = await world.keys.sign(
    {
      iss: world.config.issuer,
      aud: client.audience,
      sub: session.subject,
      sid: session.sid,
      client_id: session.clientId,
      device_id: session.deviceId,
      ...beginningOf(session),
      ...(epoch !== null && { epoch }),
      tenant: session.tenant,
      ...(external !== null && { external_id: external.id, external_issuer: external.issuer }),
      role,
      iat,
      exp: iat + life,
      jti,
    },
    client.algorithm,
  );
  return { text, expiresInSeconds: life };
}
