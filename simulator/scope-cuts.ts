import {
  type Cut,
  clientKey,
  cutAll,
  cutOthers,
  deviceKey,
  EVERYONE_KEY,
  userKey,
} from '@curfew/protocol/cuts';
import type { KeyedCut } from '@curfew/protocol/ending';
import type { Scope, Session } from './truth.ts';

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
      return cut(userKey(facts.subject), cutOthers(position, facts.sid));
    case 'device':
      return cut(deviceKey(facts.subject, facts.deviceId), cutAll(position));
    case 'client':
      return cut(clientKey(facts.clientId), cutAll(position));
    case 'everyone':
      return cut(EVERYONE_KEY, cutAll(position));
  }
}
