import { CURSOR } from '@curfew/protocol/log-cursor';
import { countInBackground } from '../cluster/state/background-count.ts';
import { changeUser, createUser, removeUser, resetPassword } from '../actions/change-user.ts';
import { askForRecentLogin } from '../actions/confirm-login.ts';
import { type AdminTarget, endByAdministrator } from '../actions/end-sessions.ts';
import { exportEvents } from '../actions/export-events.ts';
import { findUsers, SearchStopped } from '../actions/find-users.ts';
import { listSessions } from '../actions/list-sessions.ts';
import { previewEnding } from '../actions/preview-ending.ts';
import { readLog } from '../actions/read-log.ts';
import { startSession } from '../actions/start-session.ts';
import { createSystemState } from '../cluster/state/system-state.ts';
import { actOf, type World } from '../world/world.ts';
import { passwordFault } from '../domain/password.ts';
import { csrfToken } from '../domain/tokens.ts';
import type { EventFilter } from '../store/log/page.ts';
import { countLiveByClient } from '../store/live-count.ts';
import { findUser, type UserRecord, userFacts } from '../store/users.ts';
import { readBody, readParameters } from './contract/body.ts';
import { type Administrator, administrator, originOf, serviceCallerOnly } from './callers.ts';
import * as contract from './contract/admin.ts';
import { deletionsIfOver } from './cookie.ts';
import type { Call } from './environment.ts';
import { issuedBody } from './issued.ts';
import { mayLook, streamLog } from './admin/live-log.ts';
import type { OpenStreams } from './admin/open-streams.ts';
import { previewBody, refuse, refuseInput, settledBody, userBody } from './respond.ts';
import { type Router, serveRow } from './contract/serve-row.ts';
import { onFault, onLogoutFault } from './v1.ts';

/* The administration: for administrators' sessions and for service keys. */

const changerOf = ({ actor, session }: Administrator) => ({
  actor,
  sid: session?.sid ?? null,
  userId: session?.userId ?? null,
});

/** A user as the administration shows it. */
export function accountBody(user: UserRecord) {
  return {
    ...userBody(userFacts(user)),
    created_at: user.created_at.toISOString(),
    disabled_at: user.disabled_at?.toISOString() ?? null,
  };
}

type Row = Parameters<typeof serveRow>[1];

export function serveAdmin(router: Router, world: World, streams: OpenStreams): void {
  const systemState = createSystemState(world);
  const countSessions = countInBackground(world.system, (now) => countLiveByClient(world.database, now));
  /** A row that only an administrator may call. */
  const serve = (
    row: Row,
    handler: (c: Call, admin: Administrator, world: World) => Promise<Response>,
    faults = onFault,
  ): void => {
    const changes = row.method !== 'get';
    serveRow(
      router,
      row,
      async (c) => {
        // Looking on is no use of the session: it would never idle out under an open page.
        const looksOn = row === contract.state || row === contract.applications || wantsStream(c);
        const admin = await administrator(c, changes, !looksOn);
        if (admin.kind === 'refused') return refuse(c, admin.code);
        const answer = await handler(c, admin, c.get('world'));
        // It may be the administrator's own session that has ended.
        if (changes)
          for (const deletion of await deletionsIfOver(c)) answer.headers.append('set-cookie', deletion);
        return answer;
      },
      faults,
    );
  };

  serve(contract.users, async (c, _admin, { database, system }) => {
    const input = readParameters(contract.users.request.query, c.req.query());
    if (!input.ok) return refuseInput(c, input.fault);
    const { query, after, limit } = input.value;
    try {
      const users = await findUsers({ database, system }, query ?? null, after, limit, c.req.raw.signal);
      return c.json({
        users: users.map(accountBody),
        next: users.length === limit ? (users.at(-1)?.id ?? null) : null,
      });
    } catch (error) {
      if (error instanceof SearchStopped) return refuse(c, 'took_too_long');
      throw error;
    }
  });

  serve(contract.createUser, async (c, admin, world) => {
    const input = await readBody(c, contract.createUser);
    if (!input.ok) return refuseInput(c, input.fault);
    const { password = null, note, ...user } = input.value;
    const fault = password === null ? null : passwordFault(world.config.passwordMinLength, password);
    if (fault) return refuseInput(c, { field: 'password', message: fault, kind: 'malformed' });
    const made = await createUser(world, { ...user, password }, changerOf(admin), originOf(c, 'v1', note));
    return made ? c.json({ user: accountBody(made) }, 201) : refuse(c, 'conflict', { field: 'email' });
  });

  serve(contract.user, async (c, _admin, { database }) => {
    const input = readParameters(contract.user.request.params, c.req.param());
    if (!input.ok) return refuseInput(c, input.fault);
    const user = await findUser(database, input.value.id);
    return user ? c.json({ user: accountBody(user) }) : refuse(c, 'not_found');
  });

  serve(contract.changeUser, async (c, admin, world) => {
    const params = readParameters(contract.changeUser.request.params, c.req.param());
    if (!params.ok) return refuseInput(c, params.fault);
    const input = await readBody(c, contract.changeUser);
    if (!input.ok) return refuseInput(c, input.fault);
    const { note, confirm_last_administrator: confirmsLast, ...change } = input.value;
    const changer = { ...changerOf(admin), confirmsLast };
    const user = await changeUser(world, params.value.id, change, changer, originOf(c, 'v1', note));
    return user ? c.json({ user: accountBody(user) }) : refuse(c, 'not_found');
  });

  serve(contract.deleteUser, async (c, admin, world) => {
    const params = readParameters(contract.deleteUser.request.params, c.req.param());
    if (!params.ok) return refuseInput(c, params.fault);
    const input = await readBody(c, contract.deleteUser);
    if (!input.ok) return refuseInput(c, input.fault);
    const { note, confirm_last_administrator: confirmsLast } = input.value;
    const changer = { ...changerOf(admin), confirmsLast };
    const removed = await removeUser(world, params.value.id, changer, originOf(c, 'v1', note));
    return removed ? c.body(null, 204) : refuse(c, 'not_found');
  });

  serve(contract.resetPassword, async (c, admin, world) => {
    const params = readParameters(contract.resetPassword.request.params, c.req.param());
    if (!params.ok) return refuseInput(c, params.fault);
    const input = await readBody(c, contract.resetPassword);
    if (!input.ok) return refuseInput(c, input.fault);
    const given = input.value.password;
    const fault = given === undefined ? null : passwordFault(world.config.passwordMinLength, given);
    if (fault) return refuseInput(c, { field: 'password', message: fault, kind: 'malformed' });
    const password = given ?? world.system.randomBytes(15).toString('base64url');
    const origin = originOf(c, 'v1', input.value.note);
    const user = await resetPassword(world, params.value.id, password, changerOf(admin), origin);
    if (!user) return refuse(c, 'not_found');
    return c.json(given === undefined ? { password } : {});
  });

  serve(contract.sessions, async (c, _admin, world) => {
    const input = readParameters(contract.sessions.request.query, c.req.query());
    if (!input.ok) return refuseInput(c, input.fault);
    const { user_id, client_id, ended, before, limit } = input.value;
    const sessions = await listSessions(
      world,
      {
        userId: user_id ?? null,
        clientId: client_id ?? null,
        before: before ?? null,
        alive: ended === 'true' ? null : ended === 'false',
      },
      limit,
    );
    return c.json({ sessions, next: sessions.length === limit ? (sessions.at(-1)?.id ?? null) : null });
  });

  serveRow(router, contract.startSession, startForService, onFault);

  serve(
    contract.logout,
    async (c, admin, world) => {
      const input = await readBody(c, contract.logout);
      if (!input.ok) return refuseInput(c, input.fault);
      const { value } = input;
      if (value.dry_run) return c.json(previewBody(await previewEnding(world, targetOf(value))));
      const ending = await endByAdministrator(
        world,
        targetOf(value),
        {
          actor: admin.actor,
          sid: admin.session?.sid ?? null,
          confirm: value.scope === 'everyone' ? (value.confirm ?? null) : null,
          wait: value.wait ?? 'replicas',
        },
        originOf(c, 'v1', value.note),
      );
      if (ending.outcome === 'confirmation_required')
        return refuse(c, 'confirmation_required', { count: ending.count });
      return c.json(settledBody(c, ending));
    },
    onLogoutFault,
  );

  serve(contract.state, async (c) => c.json(await systemState()));

  serve(contract.applications, async (c, _admin, { config }) => {
    const counted = countSessions();
    const applications = [...config.applications.values()].map(({ clientId, name }) => ({
      client_id: clientId,
      name,
      sessions: counted && (counted.value.get(clientId) ?? 0),
    }));
    return c.json({
      applications: applications.toSorted((a, b) => a.name.localeCompare(b.name, 'en')),
      counted_at: counted?.at.toISOString() ?? null,
    });
  });

  serve(contract.events, async (c, admin, world) => {
    const input = readParameters(contract.events.request.query, c.req.query());
    if (!input.ok) return refuseInput(c, input.fault);
    const { before, after, limit, format } = input.value;
    const filter = filterOf(input.value);
    if (wantsStream(c)) {
      const cursor = readCursor(c.req.header('last-event-id') ?? input.value.cursor);
      return streamLog(c, streams, admin, filter, cursor);
    }
    if (format !== 'json') {
      const mediaType = format === 'csv' ? 'text/csv; charset=utf-8' : 'application/jsonl';
      const mayGoOn = (): Promise<boolean> => mayLook(world, admin);
      return c.body(exportEvents(world, filter, after ?? 0, format, mayGoOn), 200, {
        'content-type': mediaType,
        'content-disposition': `attachment; filename="curfew-events.${format}"`,
      });
    }
    const from = { before: before ?? null, after: after ?? null };
    return c.json(await readLog(world, filter, from, limit));
  });

  serve(contract.keys, async (c, _admin, world) => c.json({ keys: world.keys.list() }));

  serve(contract.rotateKeys, async (c, admin, world) => {
    const input = await readBody(c, contract.rotateKeys);
    if (!input.ok) return refuseInput(c, input.fault);
    await askForRecentLogin(world, admin.session?.sid ?? null);
    const act = actOf(world, originOf(c, 'v1', input.value.note), admin.actor);
    return c.json({ keys: await world.keys.rotate(act) });
  });
}

const wantsStream = (c: Call): boolean => /\btext\/event-stream\b/i.test(c.req.header('accept') ?? '');

type FilterInput = {
  [Name in 'type' | 'reason' | 'actor' | 'client_id' | 'since' | 'until']?: string | undefined;
} & { user_id?: number | undefined; refused?: 'true' | 'false' | 'only' };

function filterOf(input: FilterInput): EventFilter {
  return {
    type: input.type ?? null,
    reason: input.reason ?? null,
    userId: input.user_id ?? null,
    actor: input.actor ?? null,
    clientId: input.client_id ?? null,
    since: input.since === undefined ? null : new Date(input.since),
    until: input.until === undefined ? null : new Date(input.until),
    refused: input.refused === 'only' ? true : input.refused === 'false' ? false : null,
  };
}

/** The id of a streamed event. One that is none of ours is passed over: the stream begins now. */
function readCursor(text: string | undefined): string | null {
  return text !== undefined && CURSOR.test(text) ? text : null;
}

type LogoutInput = Extract<
  Awaited<
    ReturnType<
      typeof readBody<(typeof contract.logout)['request']['body']['content']['application/json']['schema']>
    >
  >,
  { ok: true }
>['value'];

function targetOf(input: LogoutInput): AdminTarget {
  switch (input.scope) {
    case 'sessions':
      return { scope: 'sessions', sids: input.sessions };
    case 'user':
      return { scope: 'user', userId: input.user_id };
    case 'users':
      return { scope: 'users', userIds: [...new Set(input.user_ids)] };
    case 'device':
      return { scope: 'device', userId: input.user_id, deviceId: input.device_id };
    case 'application':
      return { scope: 'client', clientId: input.client_id };
    case 'everyone':
      return { scope: 'everyone' };
  }
}

/** How many sessions of one request are opened at a time. */
const AT_A_TIME = 8;

/** Bring your own login: a service vouches for a user. */
async function startForService(c: Call): Promise<Response> {
  const caller = serviceCallerOnly(c, 'admin_forbidden');
  if (caller.kind === 'refused') return refuse(c, caller.code);
  const input = await readBody(c, contract.startSession);
  if (!input.ok) return refuseInput(c, input.fault);
  const world = c.get('world');
  const { user_id, transport, client_id, device = {}, count } = input.value;
  if (!world.config.applications.has(client_id))
    return refuseInput(c, {
      field: 'client_id',
      message: 'is not the name of an application',
      kind: 'malformed',
    });
  const user = await findUser(world.database, user_id);
  if (!user || user.disabled_at) return refuse(c, 'not_found', { field: 'user_id' });
  const how = (
    {
      bearer: { contract: 'v1' },
      opaque: { contract: 'session-id' },
      cookie: { contract: 'cookie' },
    } as const
  )[transport];

  const startOne = async (): Promise<Record<string, unknown> | null> => {
    const subject = { userId: user.id, credentialVersion: null, actor: 'service' };
    const started = await startSession(
      world,
      subject,
      { ...how, clientId: client_id, device },
      originOf(c, 'v1'),
    );
    if (!started) return null;
    const { cookie } = started.tokens;
    return cookie === undefined
      ? issuedBody(started)
      : {
          ...issuedBody(started),
          cookie: { name: world.config.cookie.name, value: cookie },
          csrf_token: csrfToken(cookie),
        };
  };
  if (count === undefined) {
    const one = await startOne();
    return one ? c.json(one) : refuse(c, 'not_found', { field: 'user_id' });
  }
  const sessions: Record<string, unknown>[] = [];
  while (sessions.length < count) {
    const batch = await Promise.all(
      Array.from({ length: Math.min(AT_A_TIME, count - sessions.length) }, startOne),
    );
    for (const one of batch) {
      if (!one) return refuse(c, 'not_found', { field: 'user_id' });
      sessions.push(one);
    }
  }
  return c.json({ sessions });
}
