import { sourceOf } from '../domain/ip-address.ts';
import { judgeRefresh, spender } from '../domain/rotation.ts';
import type { LiveSession } from '../domain/session.ts';
import {
  accessText,
  type Credential,
  hashSecret,
  type Lineage,
  lineageOf,
  NONCE_BYTES,
  parseOpaque,
  successorSecret,
} from '../domain/credentials.ts';
import { countGraceUse, findAccessTokenId, findRefreshToken, rotate } from '../store/rotate.ts';
import { endNamed } from './end-named.ts';
import { type AsOf, asOfNow, type IssuedTokens, signFor } from './issue-tokens.ts';
import { actOf, type RequestContext, type World } from '../world/world.ts';

/** Uses of a spent token within the grace: as many as a browser has tabs. Beyond it the successor is refused, but nothing ends. */
const MOST_GRACE_USES = 100;

/** A spent token's row is kept this much longer than the grace: nodes date by the database's clock, but not to the second. */
const KEPT_MS = 60_000;
/** Rows are purged with each eighth token of a session. */
const PURGE_EVERY = 8;

/** More than enough: between two looks a token can only become spent. */
const ATTEMPTS = 3;

/**
 * Exchanges a refresh token for its successor and an access token; null when it is not valid. A second use within the grace
 * returns the same successor, on any node; a later one ends the session.
 */
export async function refresh(
  world: World,
  text: string,
  context: RequestContext,
  clientId: string | null = null,
): Promise<{ session: LiveSession; tokens: IssuedTokens } | null> {
  const token = parseOpaque('refresh', text);
  if (token?.kind !== 'refresh') return null;
  const lineage = lineageOf(text);
  const find = () => findRefreshToken(world.database, world.system.now(), token.hash, lineage);
  if (clientId !== null && (await isOfAnother(world, await find(), clientId, context))) return null;
  const by = spender(sourceOf(context.ipAddress), context.userAgent);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const rotated = await spend(world, token, lineage, by);
    if (rotated) return rotated;
    const { epoch } = asOfNow(world);
    const found = await find();
    const judged = judgeRefresh(found?.record ?? null, world.system.now(), world.config.graceSeconds, by);
    if (judged.verdict === 'retry') continue;
    if (!found?.session || judged.verdict === 'refuse') return null;
    if (judged.verdict === 'stranger') {
      logReuse(
        world,
        found.session,
        context,
        'refused, because the address and the user agent differ from those of the first use',
      );
      noteRefused(world, found.session, context);
      return null;
    }
    if (judged.verdict === 'again') {
      const uses = await countGraceUse(world.database, token.hash, MOST_GRACE_USES);
      logReuse(
        world,
        found.session,
        context,
        uses === null ? 'refused, because there were too many uses' : 'answered with its successor again',
        uses,
      );
      if (uses === null) {
        noteRefused(world, found.session, context);
        return null;
      }
      return {
        session: found.session,
        tokens: await successors(
          world,
          token.text,
          judged.nonce,
          { at: judged.spentAt, epoch },
          found.session,
          null,
        ),
      };
    }
    await endReplayed(world, found.session, context);
    return null;
  }
  return null;
}

/** RFC 6749 section 6: a refresh token belongs to one client. Another client has a copy, so its session ends. */
async function isOfAnother(
  world: World,
  found: { session: LiveSession | null } | null,
  clientId: string,
  context: RequestContext,
): Promise<boolean> {
  if (!found?.session || found.session.clientId === clientId) return false;
  await endReplayed(world, found.session, context);
  return true;
}

function logReuse(
  world: World,
  session: LiveSession,
  context: RequestContext,
  what: string,
  uses: number | null = null,
): void {
  world.system.log.warn(
    {
      sid: session.sid,
      user_id: session.userId,
      ip_address: context.ipAddress,
      request_id: context.requestId,
      uses,
    },
    `a spent refresh token was used within the grace period: ${what}`,
  );
}

const noteRefused = ({ refusals }: World, { userId, clientId }: LiveSession, context: RequestContext): void =>
  refusals.note('refresh_refused', userId, context, { clientId });

async function spend(
  world: World,
  token: Credential & { hash: Buffer },
  lineage: Lineage | null,
  by: Buffer,
): Promise<{ session: LiveSession; tokens: IssuedTokens } | null> {
  const asOf = asOfNow(world);
  const now = asOf.at;
  const nonce = world.system.randomBytes(NONCE_BYTES);
  const rotated = await rotate(world.database, now, token.hash, {
    nonce,
    refreshHash: hashSecret(successorSecret(token.text, nonce, 'refresh')),
    accessHash: hashSecret(successorSecret(token.text, nonce, 'access')),
    accessSeconds: new Map(
      [...world.clients.clients].map(([clientId, client]) => [clientId, client.opaqueAccessSeconds]),
    ),
    spentBy: by,
    purge:
      lineage && lineage.generation % PURGE_EVERY === PURGE_EVERY - 1
        ? {
            firstHash: lineage.firstHash(),
            before: new Date(now.getTime() - world.config.graceSeconds * 1000 - KEPT_MS),
          }
        : null,
  });
  if (!rotated) return null;
  const { session, accessId } = rotated;
  return { session, tokens: await successors(world, token.text, nonce, asOf, session, accessId) };
}

/** The credentials that follow from a spent token and its nonce: the same on every node and at any time. */
async function successors(
  world: World,
  spent: string,
  nonce: Buffer,
  asOf: AsOf,
  session: LiveSession,
  accessId: number | null,
): Promise<IssuedTokens> {
  const { at: spentAt } = asOf;
  const refreshText = successorSecret(spent, nonce, 'refresh');
  // A repeated token's life began when it was first given.
  const goneSeconds = Math.floor((world.system.now().getTime() - spentAt.getTime()) / 1000);
  const left = (lifeSeconds: number): number => Math.max(1, lifeSeconds - goneSeconds);
  if (session.grant !== 'opaque') {
    const jti = successorSecret(spent, nonce, 'jti');
    const access = await signFor(world, session, asOf, jti);
    return {
      access: { text: access.text, expiresInSeconds: left(access.expiresInSeconds) },
      refresh: refreshText,
    };
  }
  const secret = successorSecret(spent, nonce, 'access');
  const id = accessId ?? (await findAccessTokenId(world.database, hashSecret(secret)));
  if (id === null) throw new Error('the successor of a refresh token has no access token');
  // As in the row: never beyond the session.
  const sessionSeconds = Math.floor((session.expiresAt.getTime() - spentAt.getTime()) / 1000);
  const life = Math.min(world.clients.of(session.clientId).opaqueAccessSeconds, sessionSeconds);
  return { access: { text: accessText(id, secret), expiresInSeconds: left(life) }, refresh: refreshText };
}

async function endReplayed(world: World, session: LiveSession, context: RequestContext): Promise<void> {
  const act = actOf(world, context, 'system');
  world.system.log.warn(
    { sid: session.sid, user_id: session.userId, ip_address: context.ipAddress },
    'a spent refresh token was used again: its session was ended',
  );
  await endNamed(world, [session.sid], { userId: session.userId }, act, 'refresh_replay');
}
