import type { RequestContext } from '../world/world.ts';
import type { RequestFacts } from '../domain/caller-rule.ts';
import { plainName } from '@curfew/protocol/reading/plain-name';
import { type Presented, readCredential } from '../domain/presented.ts';
import type { Call } from './environment.ts';

/* The parts of a request that identify its caller. `actions/admit.ts` decides whether the caller may. */

export const presented = (c: Call): Presented =>
  readCredential(c.req.header('authorization'), c.req.header('cookie'), c.get('world').config.cookie.name);

export const requestFactsOf = (c: Call): RequestFacts => ({
  from: presented(c),
  header: (name) => c.req.header(name),
  ipAddress: c.get('ipAddress'),
});

export function contextOf(c: Call, contract: string, note?: string): RequestContext {
  return {
    note: plainName(note ?? '') || undefined,
    contract,
    ipAddress: c.get('ipAddress'),
    userAgent: c.req.header('user-agent') ?? '',
    requestId: c.get('requestId'),
  };
}
