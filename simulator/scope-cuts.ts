import {
  type Cut,
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
import type { KeyedCut } from '@curfew/protocol/ending';
import { loginOf } from './facts.ts';
import type { Scope, Session } from './truth.ts';

/** The scopes of logouts, the usual ones several times. */
export const SCOPES: readonly Scope[] = [
  'session',
  'session',
  'session',
  'list',
  'list',
  'user',
  'others',
  'device',
  'client',
  'grant',
  'login',
  'login',
  'tenant',
  'everyone',
];

/** The cut of a logout by scope; null for a logout of named sessions. */
export function cutsOf(scope: Scope, { facts }: Session, position: number): { cuts: KeyedCut[] } | null {
  const cut = (key: string, one: Cut): { cuts: KeyedCut[] } => ({ cuts: [{ key, ...one }] });
  switch (scope) {
    case 'session':
    case 'list':
      return null;
    case 'user':
      return cut(userKey(facts.subject), cutAll(position));
    case 'others':
      return cut(userKey(facts.subject), cutOthers(position, loginOf(facts)));
    case 'device':
      return cut(deviceKey(facts.subject, facts.deviceId), cutAll(position));
    case 'client':
      return cut(clientKey(facts.clientId), cutAll(position));
    case 'grant':
      return cut(grantKey(facts.subject, facts.clientId), cutAll(position));
    case 'login':
      return cut(loginKey(loginOf(facts)), cutAll(position));
    case 'tenant':
      return cut(tenantKey(facts.tenant ?? ''), cutAll(position));
    case 'everyone':
      return cut(EVERYONE_KEY, cutAll(position));
  }
}

/** Of a logout of named sessions: what tells the replicas to end those that were begun through them. */
export function cutsOfLogins(named: readonly Session[], position: number): KeyedCut[] {
  const logins = named.filter(({ hasChildren }) => hasChildren);
  return logins.map(({ facts }) => ({ key: loginKey(facts.sid), ...cutAll(position) }));
}
