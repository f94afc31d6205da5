import { DEFAULT_TENANT, type SessionFacts } from '@curfew/protocol/cuts';
import type { World } from './world.ts';

/**
 * Invents a session. There are few users, clients and devices, so that endings overlap.
 * @param through the login that it is begun through, if any
 */
export function inventFacts(
  { random, nowMs }: World,
  born: number,
  through: SessionFacts | null,
): SessionFacts {
  const subject = through?.subject ?? String(1 + random.below(3));
  return {
    sid: random.uuid(1.7e12 + nowMs),
    subject,
    clientId: random.pick(['shop', 'mail']),
    deviceId: through?.deviceId ?? random.pick(['phone', 'desk']),
    born,
    login: through && { sid: through.sid, born: through.born, clientId: through.clientId },
    tenant: subject === '3' ? 'acme' : DEFAULT_TENANT,
  };
}

/** The id of the login of a session. */
export const loginOf = ({ login, sid }: SessionFacts): string => login?.sid ?? sid;
