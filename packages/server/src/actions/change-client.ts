import { afterCommit } from '../cluster/endings/after-commit.ts';
import { retentionDays } from '../config.ts';
import {
  changedTerms,
  type ClientFault,
  type ClientRecord,
  type ClientTerms,
  type ClientTermsChange,
  faultOfClient,
  faultOfClosing,
  termsOf,
} from '../domain/client-terms.ts';
import { deleteClient, insertClient, lockClient, updateClient } from '../store/client-rows.ts';
import { countLiveSessions } from '../store/live-count.ts';
import { append } from '../store/log/append.ts';
import { cut } from '../store/revoke-scope.ts';
import { eventOf, type Revocation } from '../store/revocation.ts';
import type { Act } from '../store/act.ts';
import type { LogEvent } from '../store/log/log-event.ts';
import { inLane, type Queryable } from '../store/statement.ts';
import { actOf, type RequestContext, type World } from '../world/world.ts';
import { askForRecentLogin } from './confirm-login.ts';
import { NO_SESSIONS } from './create-key.ts';
import { confirms } from './end-sessions.ts';
import { revokeKeysOfClient } from './revoke-key.ts';
import { answered, settlePartly, type Settled } from './settle.ts';

interface ClientAdministrator {
  actor: string;
  sid: string | null;
  /** The number of sessions that the caller knows would end. */
  confirm: number | null;
}

type ClientOutcome =
  | { outcome: 'done'; client: ClientRecord; settled: Settled }
  | { outcome: 'unknown' }
  /** There is a client of that id, or was. */
  | { outcome: 'taken' }
  | { outcome: 'fault'; fault: ClientFault }
  /** Sessions would end. Nothing was changed. */
  | { outcome: 'confirmation_required'; count: number };

/** Changed, but not announced yet. */
interface Made {
  outcome: 'made';
  client: ClientRecord;
  changes: Revocation[];
}
type Attempt = Made | Exclude<ClientOutcome, { outcome: 'done' }>;

/** Creates a client. When this answers, every node knows it. */
export async function addClient(
  world: World,
  clientId: string,
  given: ClientTermsChange,
  caller: Omit<ClientAdministrator, 'confirm'>,
  context: RequestContext,
): Promise<ClientOutcome> {
  await askForRecentLogin(world, caller.sid);
  const terms = changedTerms(termsOf(clientId), given);
  const fault = faultOf(world, clientId, terms);
  if (fault) return { outcome: 'fault', fault };
  await world.keys.provide([terms.algorithm]);
  const act = actOf(world, context, caller.actor);
  const made = await world.database.transaction(async (on) => {
    const client = await insertClient(on, clientId, terms, act.at);
    return client && { client, changes: [await changeOf(on, 'client_created', clientId, {}, act)] };
  });
  return made ? announce(world, made.client, made.changes) : { outcome: 'taken' };
}

/** Changes a client. Disabling it ends its sessions, once their number is confirmed. */
export async function changeClient(
  world: World,
  clientId: string,
  change: ClientTermsChange & { disabled?: boolean },
  caller: ClientAdministrator,
  context: RequestContext,
): Promise<ClientOutcome> {
  await askForRecentLogin(world, caller.sid);
  const { disabled, ...terms } = change;
  const act = actOf(world, context, caller.actor);
  if (change.algorithm) await world.keys.provide([change.algorithm]);
  const counted = disabled ? await unconfirmed(world, clientId, caller, act) : null;
  const outcome = await world.database.transaction(async (on): Promise<Attempt> => {
    const before = await lockClient(on, clientId);
    if (!before) return { outcome: 'unknown' };
    const closes = disabled === true && before.disabledAt === null;
    const after = changedTerms(before, terms);
    const fault = faultOfClosing(clientId, closes, after) ?? faultOf(world, clientId, after);
    if (fault) return { outcome: 'fault', fault };
    if (closes && counted !== null) return { outcome: 'confirmation_required', count: counted };
    if (closes) after.disabledAt = act.at;
    if (disabled === false) after.disabledAt = null;
    const client = await updateClient(on, after);
    // The row is locked: the position is above those of all sessions that were opened before.
    const endings = closes ? [await cut(on, { scope: 'client', clientId }, act, 'admin_logout')] : [];
    const details = { fields: Object.keys(change) };
    return {
      outcome: 'made',
      client,
      changes: [...endings, await changeOf(on, 'client_updated', clientId, details, act)],
    };
  }, 'ending');
  return finish(world, outcome);
}

/** Deletes a client, ends its sessions and revokes its API keys, once the number of sessions is confirmed. */
export async function removeClient(
  world: World,
  clientId: string,
  caller: ClientAdministrator,
  context: RequestContext,
): Promise<ClientOutcome> {
  await askForRecentLogin(world, caller.sid);
  const fault = faultOfClosing(clientId, 'for good');
  if (fault) return { outcome: 'fault', fault };
  const act = actOf(world, context, caller.actor);
  const counted = await unconfirmed(world, clientId, caller, act);
  const outcome = await world.database.transaction(async (on): Promise<Attempt> => {
    const client = await lockClient(on, clientId);
    if (!client) return { outcome: 'unknown' };
    if (counted !== null) return { outcome: 'confirmation_required', count: counted };
    await deleteClient(on, clientId, act.at);
    const ending = await cut(on, { scope: 'client', clientId }, act, 'admin_logout');
    const keys = await revokeKeysOfClient(on, clientId, act);
    return {
      outcome: 'made',
      client,
      changes: [ending, ...keys, await changeOf(on, 'client_deleted', clientId, {}, act)],
    };
  }, 'ending');
  return finish(world, outcome);
}

const faultOf = ({ config }: World, clientId: string, terms: ClientTerms): ClientFault | null =>
  faultOfClient(clientId, terms, config.clientDefaults, retentionDays(config));

/** The number of sessions that would end, if that is not the one that the caller confirmed; null: go on. */
async function unconfirmed(
  { database }: World,
  clientId: string,
  { confirm }: ClientAdministrator,
  { at }: Act,
): Promise<number | null> {
  const count = await countLiveSessions(inLane(database, 'ending'), at, { clientId });
  return count === 0 || confirms(count, confirm) ? null : count;
}

/** Appends the event of a change, which ends no sessions itself. */
async function changeOf(
  on: Queryable,
  type: LogEvent['type'],
  clientId: string,
  details: Record<string, unknown>,
  act: Act,
): Promise<Revocation> {
  const position = await append(on, { type, userId: null, clientId, details }, act);
  return { event: eventOf(act, { type, position, client_id: clientId }), ...NO_SESSIONS };
}

/**
 * After the commit: the endings at once, then the clients. The log is read before the confirmation: another caller may have closed
 * the client a moment ago.
 */
async function announce(
  world: World,
  client: ClientRecord,
  changes: readonly Revocation[],
): Promise<ClientOutcome> {
  const ending = changes.find(({ event }) => event.type === 'sessions_ended') ?? NO_SESSIONS;
  const settling = answered(ending, 'replicas', afterCommit(world, changes, 'part'));
  try {
    await world.clients.load();
  } catch (error) {
    settling.catch(() => undefined);
    // The log brings the change again.
    world.nodes.node.missed(error);
    throw error;
  }
  return { outcome: 'done', client, settled: await settling };
}

async function finish(world: World, attempt: Attempt): Promise<ClientOutcome> {
  if (attempt.outcome === 'made') return announce(world, attempt.client, attempt.changes);
  // Deleted, perhaps a moment ago by another caller.
  if (attempt.outcome === 'unknown') await settlePartly(world, null, 'replicas');
  return attempt;
}
