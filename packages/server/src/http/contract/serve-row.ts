import { OpenAPIHono, type RouteConfig } from '@hono/zod-openapi';
import { Denied } from '../../actions/denied.ts';
import { decodePercent } from '../../domain/unicode.ts';
import { type InputFault, parametersOf, queryFault, queryTextFault } from './body.ts';
import type { Call, HonoEnvironment } from '../environment.ts';
import { type Fault, faultOf, refuse, refuseInput } from '../respond.ts';

export type Router = OpenAPIHono<HonoEnvironment>;
export type Handler = (c: Call) => Promise<Response> | Response;

/**
 * Puts a row of the contract and its handler together: the row goes into the description, the handler onto the path.
 * @param onFault how the row's family says that something went wrong
 */
export function serveRow(
  router: Router,
  row: RouteConfig & { getRoutingPath(): string },
  handler: Handler,
  onFault: (c: Call, fault: Fault) => Response,
): void {
  router.openAPIRegistry.registerPath(row);
  const takesAddress = row.request?.query !== undefined || row.request?.params !== undefined;
  router.on(row.method.toUpperCase(), row.getRoutingPath(), async (c) => {
    const fault = takesAddress ? addressFault(c, row) : null;
    if (fault) return onFault(c, fault);
    try {
      const fault = queryFault(c, row);
      return fault ? refuseInput(c, fault) : await handler(c);
    } catch (error) {
      if (error instanceof Denied) return refuse(c, error.code);
      return onFault(c, faultOf(c, error));
    }
  });
}

export function createRouter(): Router {
  return new OpenAPIHono<HonoEnvironment>();
}

/** What in the address of a request is no text, by the name of the parameter: the router would put something else there. */
function addressFault(c: Call, row: RouteConfig): InputFault | null {
  const names = row.path.split('/');
  for (const [i, segment] of c.req.path.split('/').entries()) {
    if (decodePercent(segment) === null)
      return { field: names[i]?.slice(1, -1) ?? null, message: 'must be UTF-8', kind: 'malformed' };
  }
  // A proxy that asks passes its client's own query on, in any encoding.
  const known = row.path.startsWith('/v1/check') ? Object.keys(parametersOf(row)) : undefined;
  return queryTextFault(c, known);
}
