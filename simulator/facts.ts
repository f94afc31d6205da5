import { DEFAULT_TENANT, type SessionFacts } from '@curfew/protocol/cuts';
import type { World } from './world.ts';

/** Invents a session. There are few users, clients and devices, so that endings overlap. */
export function inventFacts({ random, nowMs }: World, born: number): SessionFacts {
  return {
    sid: random.uuid(1.7e12 + nowMs),
    subject: String(1 + random.below(3)),
    clientId: random.pick(['shop', 'mail']),
    deviceId: random.pick(['phone', 'desk']),
    born,
    login: null,
    tenant: DEFAULT_TENANT,
  };
}
