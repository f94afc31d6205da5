import {
  clientKey,
  cutAll,
  cutOthers,
  deviceKey,
  EVERYONE_KEY,
  grantKey,
  loginKey,
  tenantKey,
  userKey,
} from '@curfew/protocol/cuts';
import type { Ending, KeyedCut } from '@curfew/protocol/ending';
import type { LoggedEvent } from '@curfew/protocol/wire/event';
import { subjectOf } from './session.ts';

/** The columns of an event that say which sessions ended. */
export type EndingFacts = Pick<
  LoggedEvent,
  | 'position'
  | 'type'
  | 'scope'
  | 'reason'
  | 'user_id'
  | 'user_ids'
  | 'session_ids'
  | 'client_id'
  | 'device_id'
  | 'except_session'
  | 'login'
  | 'logins'
  | 'tenant'
>;

/** The users that an event names. */
export function usersOf(event: Pick<EndingFacts, 'user_id' | 'user_ids'>): number[] {
  return event.user_ids ?? (event.user_id === null ? [] : [event.user_id]);
}

/** Converts an event of the log for checkers: session ids, or the cuts of its scope. */
export function endingOf(event: EndingFacts): Ending {
  const { position } = event;
  const users = usersOf(event);
  // An ending does not change the user's data, so the user's other sessions stay cached.
  const changed =
    event.type === 'user_changed' || event.reason === 'role_changed' ? users.map(subjectOf) : [];
  if (event.type !== 'sessions_ended') return { position, ids: [], cuts: [], changed };
  if (event.scope === 'sessions')
    return { position, ids: event.session_ids ?? [], cuts: cutsOfLogins(event), changed };
  return { position, ids: [], cuts: cutsOf(event, users), changed };
}

function cutsOfLogins({ position, logins }: EndingFacts): KeyedCut[] {
  return (logins ?? []).map((login) => ({ key: loginKey(login), ...cutAll(position) }));
}

function cutsOf(event: EndingFacts, users: readonly number[]): KeyedCut[] {
  const all =
    event.except_session === null ? cutAll(event.position) : cutOthers(event.position, event.except_session);
  const under = (key: string): KeyedCut => ({ key, ...all });
  switch (event.scope) {
    case 'user':
    case 'others':
    case 'users':
      return users.map((userId) => under(userKey(subjectOf(userId))));
    case 'device':
      return users.map((userId) => under(deviceKey(subjectOf(userId), event.device_id ?? '')));
    case 'client':
      return [under(clientKey(event.client_id ?? ''))];
    case 'grant':
      return users.map((userId) => under(grantKey(subjectOf(userId), event.client_id ?? '')));
    case 'login':
      return [under(loginKey(event.login ?? ''))];
    case 'tenant':
      return [under(tenantKey(event.tenant ?? ''))];
    case 'everyone':
      return [under(EVERYONE_KEY)];
    default:
      // Not taken in as nothing: the node then trusts nothing in memory, and asks the database.
      throw new Error(`an ending of an unknown scope: ${event.scope}`);
  }
}
