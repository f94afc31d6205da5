import { whyEnded } from '../../actions/why-ended.ts';
import type { Credential } from '../../domain/credentials.ts';
import { inputFault } from '../contract/body.ts';
import type { Call } from '../environment.ts';
import { type Fault, refuse, refuseInput, RETRY_AFTER } from '../respond.ts';

/** Problem details (RFC 9457), for everything but the four contracts. */
export function onV1Fault(c: Call, fault: Fault): Response {
  if (typeof fault === 'object') return refuseInput(c, fault);
  switch (fault) {
    case 'overloaded':
      return refuse(c, 'overloaded', {}, RETRY_AFTER);
    case 'failed':
      return refuse(c, 'unavailable', {}, RETRY_AFTER);
    default:
      return refuse(c, fault);
  }
}

export const onLogoutFault = (c: Call, fault: Fault): Response =>
  fault === 'failed' ? refuse(c, 'not_logged_out', {}, RETRY_AFTER) : onV1Fault(c, fault);

/** The refusal of a credential. For a genuine one it says how its session ended. */
export async function refuseSayingWhy(c: Call, credential: Credential | null): Promise<Response> {
  const ended = credential && (await whyEnded(c.get('world'), credential));
  return refuse(c, 'not_authenticated', ended ? { ended } : {});
}

/** Refuses an unknown client, under the name of its field. */
export function unknownClient(c: Call): Response {
  return refuseInput(c, inputFault('client_id', 'is not the name of an application'));
}
