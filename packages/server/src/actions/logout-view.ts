import type { Logout } from '@curfew/protocol/wire/logout';
import type { Settled } from './settle.ts';

/** The result of a logout in `/v1`. @param ms from the request to the answer */
export function logoutView({ ended, more, confirmed, acknowledged, waitedOut }: Settled, ms: number): Logout {
  return { ended, more, confirmed, ms, acknowledged, waited_out: waitedOut };
}
