import { setTimeout as sleep } from 'node:timers/promises';
import { PROBLEMS } from '@curfew/protocol/errors';
import type { LoggedEvent } from '@curfew/protocol/wire/event';
import type { Logger } from 'pino';
import { changeUser, createUser, removeUser, resetPassword } from '../actions/change-user.ts';
import { apiKeyChangeView, apiKeyView } from '../actions/api-key-view.ts';
import { createKey } from '../actions/create-key.ts';
import { Denied } from '../actions/denied.ts';
import { endByAdministrator } from '../actions/end-sessions.ts';
import { followRefusals } from '../actions/follow-refusals.ts';
import { findUsers } from '../actions/find-users.ts';
import { logoutView } from '../actions/logout-view.ts';
import { listSessions } from '../actions/list-sessions.ts';
import { previewEnding } from '../actions/preview-ending.ts';
import { readLog, shownEvent, type ShownEvent } from '../actions/read-log.ts';
import { revokeKey } from '../actions/revoke-key.ts';
import { watchMarking } from '../cluster/follow/watch-marking.ts';
import { actOf, type RequestContext, type World } from '../world/world.ts';
import { type OpenWorld, openWorld } from '../world/open-world.ts';
import type { Config } from '../config.ts';
import { EVERYTHING, type Reach } from '../domain/api-key.ts';
import { passwordFault } from '../domain/password.ts';
import { accountView } from '../actions/account-view.ts';
import { pageOfKeys } from '../store/issued-keys.ts';
import { findCredentials, findUser, findUserOf } from '../store/users.ts';
import { cursorNow } from '../store/log/cursors.ts';
import { EVERY_EVENT } from '../store/log/page.ts';
import { readOn } from '../store/log/follow.ts';
import { directClients } from './direct-clients.ts';
import { CommandRefused, Failed } from './declare.ts';
import { LAST_ADMIN_KEY, LAST_ADMINISTRATOR, type Operator, type UserOperations } from './operator.ts';
import { programVersion } from './version.ts';

/** How often to poll the log for new events, and how many to read at a time. */
const LOOK_MS = 300;
const PAGE = 200;

/** Works on the database itself, as a node beside the others: a logout takes the same path and waits for them. */
export async function openDirectOperator(config: Config, log: Logger): Promise<Operator> {
  return directOperator(await openWorld(config, { log }));
}

/** The operator as the actor of each act. */
interface Acting {
  world: World;
  changer: { actor: string; sid: null; userId: null; reach: Reach };
  context: RequestContext;
}

function directOperator({ world, close }: OpenWorld): Operator {
  const changer = { actor: 'operator', sid: null, userId: null, reach: EVERYTHING };
  const context: RequestContext = {
    contract: 'cli',
    ipAddress: null,
    userAgent: `curfew/${programVersion()}`,
    requestId: null,
  };
  const acting: Acting = { world, changer, context };
  return {
    ...userActs(acting),
    ...sessionActs(acting),
    ...eventActs(world),
    ...directClients(world, changer, context),
    ...apiKeyActs(acting),
    keys: async () => world.keys.list(),
    rotateKeys: () => world.keys.rotate(actOf(world, context, changer.actor)),
    close,
  };
}

function userActs({ world, changer, context }: Acting): UserOperations {
  const { config, database } = world;
  const judgePassword = (password: string | null): void => {
    const fault = password === null ? null : passwordFault(config.passwordMinLength, password);
    if (fault) throw new CommandRefused(`the password ${fault}.`);
  };
  return {
    async users({ query, external, after, limit }) {
      if (external) {
        const user = await findUserOf(database, external);
        return { users: user ? [accountView(user)] : [], next: null };
      }
      const users = await findUsers(world, query, after, limit);
      return {
        users: users.map(accountView),
        next: users.length === limit ? (users.at(-1)?.id ?? null) : null,
      };
    },
    async userById(id) {
      const user = await findUser(database, id);
      return user && accountView(user);
    },
    async userByEmail(email) {
      const found = await findCredentials(database, email);
      const user = found && (await findUser(database, found.id));
      return user && accountView(user);
    },
    async addUser(user) {
      judgePassword(user.password);
      const made = await createUser(world, user, changer, context);
      return made && accountView(made);
    },
    async changeUser(id, change, confirmsLast) {
      const changing = changeUser(world, id, change, { ...changer, confirmsLast }, context);
      const user = await changing.catch(refuseLast);
      return user && accountView(user);
    },
    deleteUser: (id, confirmsLast) =>
      removeUser(world, id, { ...changer, confirmsLast }, context).catch(refuseLast),
    async setPassword(id, password) {
      judgePassword(password);
      return (await resetPassword(world, id, password, changer, context)) !== null;
    },
  };
}

function sessionActs({
  world,
  changer,
  context,
}: Acting): Pick<Operator, 'sessions' | 'preview' | 'end' | 'watchMarking'> {
  return {
    async sessions({ ended, ...filter }, limit) {
      const sessions = await listSessions(world, { ...filter, alive: ended ? null : true }, limit);
      return { sessions, next: sessions.length === limit ? (sessions.at(-1)?.id ?? null) : null };
    },
    preview: (target) => previewEnding(world, target),
    async end(target, { note, ...how }) {
      const begunMs = world.system.monotonicMs();
      const ending = await endByAdministrator(world, target, { ...changer, ...how }, { ...context, note });
      if (ending.outcome === 'confirmation_required') return ending;
      if (ending.outcome === 'unknown') throw new CommandRefused(PROBLEMS.not_found.title);
      if (ending.outcome === 'older_node') throw new Failed(PROBLEMS.older_node.title);
      return { outcome: 'ended', result: logoutView(ending, msSince(world, begunMs)) };
    },
    async watchMarking(target, onLeft) {
      if (target.scope !== 'sessions') await watchMarking(world, target, onLeft);
      return true;
    },
  };
}

function eventActs(world: World): Pick<Operator, 'newestEvents' | 'follow'> {
  const { database } = world;
  return {
    async newestEvents(limit) {
      const { events } = await readLog(world, EVERY_EVENT, { before: null, after: null }, limit);
      return events.map(loggedEvent);
    },
    async *follow(cursor, stop) {
      let place = cursor ?? (await cursorNow(database));
      const newRefusals = followRefusals(world, EVERY_EVENT);
      await newRefusals();
      yield { cursor: place, event: null };
      while (!stop.aborted) {
        const news = await readOn(database, place, PAGE);
        place = news.cursor;
        for (const { cursor: from, ...event } of news.events)
          yield { cursor: from, event: loggedEvent(shownEvent(event)) };
        for (const refusal of await newRefusals()) yield { cursor: place, event: loggedEvent(refusal) };
        // An abort is not a failure.
        if (!news.more) await sleep(LOOK_MS, undefined, { signal: stop }).catch(() => undefined);
      }
    },
  };
}

const msSince = ({ system }: World, begunMs: number): number =>
  Math.round((system.monotonicMs() - begunMs) * 100) / 100;

function apiKeyActs({
  world,
  changer,
  context,
}: Acting): Pick<Operator, 'apiKeys' | 'createApiKey' | 'revokeApiKey'> {
  const { database, system } = world;
  return {
    async apiKeys({ revoked, before }, limit) {
      const found = await pageOfKeys(database, { before, dead: revoked }, limit, system.now());
      return {
        keys: found.map(apiKeyView),
        next: found.length === limit ? (found.at(-1)?.id ?? null) : null,
      };
    },
    async createApiKey(wanted) {
      const begunMs = system.monotonicMs();
      const created = await createKey(world, wanted, changer, context);
      if (created.outcome === 'fault')
        throw new CommandRefused(`${created.fault.field}: ${created.fault.message}.`);
      const { key, secret, settled } = created;
      return { ...apiKeyChangeView(key, settled, msSince(world, begunMs)), secret };
    },
    async revokeApiKey(id, confirmsLast, note) {
      const begunMs = system.monotonicMs();
      const revoking = revokeKey(world, id, { ...changer, confirmsLast }, { ...context, note });
      const revoked = await revoking.catch(refuseLast);
      return revoked && apiKeyChangeView(revoked.key, revoked.settled, msSince(world, begunMs));
    },
  };
}

function refuseLast(error: unknown): never {
  if (!(error instanceof Denied)) throw error;
  if (error.code === 'last_administrator') throw new CommandRefused(LAST_ADMINISTRATOR);
  throw error.code === 'last_admin_key' ? new CommandRefused(LAST_ADMIN_KEY) : error;
}

function loggedEvent(event: ShownEvent): LoggedEvent {
  return { ...event, at: event.at.toISOString(), last_at: event.last_at?.toISOString() ?? null };
}
