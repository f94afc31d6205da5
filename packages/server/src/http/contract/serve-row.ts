import type { CallerOf, Denial } from '../../actions/admit.ts';
import { Denied } from '../../actions/denied.ts';
import type { RequestContext, World } from '../../world/world.ts';
import type { KeyScope } from '../../domain/api-key.ts';
import { decodePercent } from '../../domain/unicode.ts';
import { admitCall } from '../admit-call.ts';
import { contextOf } from '../callers.ts';
import type { Call } from '../environment.ts';
import { type Fault, faultOf, refuse } from '../respond.ts';
import { deletionsIfOver } from '../session-cookie.ts';
import { type InputFault, parametersOf, queryFault, queryTextFault, readInput } from './body.ts';
import type { Endpoint, Family, OnFault } from './family.ts';
import type { InputOf, Row } from './row.ts';

/** What a handler receives: the caller and the input, in the types of its row. */
interface HandlerInput<R extends Row> {
  c: Call;
  world: World;
  family: Family;
  caller: CallerOf<R['caller']>;
  input: InputOf<R>;
  /** The request's origin, as stored in the log. @param note the caller's note for readers of the log */
  context: (note?: string) => RequestContext;
}

/**
 * Joins a row of the contract and its handler. The handler runs only after these checks, in this order: the address is well-formed,
 * the row's rule admits the caller, the input matches the row.
 * @param onFault answers a fault differently from the rest of the family, whose own renderer it receives
 */
export function serveRow<R extends Row>(
  row: R,
  handler: (asked: HandlerInput<R>) => Promise<Response> | Response,
  onFault?: (c: Call, fault: Fault, family: OnFault) => Response | Promise<Response>,
): Endpoint {
  const answer = async (c: Call, family: Family): Promise<Response> => {
    const fail = (fault: Fault): Response | Promise<Response> =>
      onFault ? onFault(c, fault, family.onFault) : family.onFault(c, fault);
    try {
      const fault = addressFault(c, row) ?? queryFault(c, row);
      if (fault) return await fail(fault);
      const world = c.get('world');
      const rule: R['caller'] = row.caller;
      const caller = await admitCall(c, rule, family.name);
      if (caller.kind === 'refused') return saysMore(await fail(caller.code), caller);
      const input = await readInput(c, row);
      const context = (note?: string): RequestContext => contextOf(c, family.name, note);
      const answered = input.ok
        ? await handler({ c, world, family, caller, input: input.value, context })
        : await fail(input.fault);
      // The administrator's own session may have ended.
      if (caller.kind === 'administrator' && row.method !== 'get')
        for (const deletion of await deletionsIfOver(c)) answered.headers.append('set-cookie', deletion);
      return answered;
    } catch (error) {
      if (error instanceof Denied) return needsScope(refuse(c, error.code, error.more), error.scope);
      return fail(faultOf(c, error));
    }
  };
  return { row, answer };
}

/** Says how long to wait (RFC 6585 section 4), and names the scope that the caller's key lacks. */
function saysMore(refused: Response, { scope, retryAfterSeconds }: Denial): Response {
  if (retryAfterSeconds !== undefined) refused.headers.set('retry-after', String(retryAfterSeconds));
  return needsScope(refused, scope);
}

/** Names the scope that the caller's key lacks (RFC 6750 section 3). */
function needsScope(refused: Response, scope: KeyScope | undefined): Response {
  if (scope !== undefined)
    refused.headers.set('www-authenticate', `Bearer error="insufficient_scope", scope="${scope}"`);
  return refused;
}

/** The parameter of a request's address that is not valid text: the router would replace parts of it. */
function addressFault(c: Call, row: Row): InputFault | null {
  const { params, query } = row.request ?? {};
  if (params) {
    const segments = c.req.path.split('/');
    for (const [i, name] of row.path.split('/').entries())
      if (name.startsWith('{') && decodePercent(segments[i] ?? '') === null)
        return { field: name.slice(1, -1), message: 'must be UTF-8', kind: 'malformed' };
  }
  if (!params && !query) return null;
  // A proxy passes its client's own query on, in any encoding.
  return queryTextFault(c, row.anyMethod ? Object.keys(parametersOf(row)) : undefined);
}
