import { OpenAPIHono, type RouteConfig } from '@hono/zod-openapi';
import { queryFault } from './body.ts';
import type { Call, HonoEnvironment } from './environment.ts';
import { type Fault, faultOf, refuseInput } from './respond.ts';

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
  router.on(row.method.toUpperCase(), row.getRoutingPath(), async (c) => {
    try {
      const fault = queryFault(c, row);
      return fault ? refuseInput(c, fault) : await handler(c);
    } catch (error) {
      return onFault(c, faultOf(c, error));
    }
  });
}

export function createRouter(): Router {
  return new OpenAPIHono<HonoEnvironment>();
}
