import type { IncomingMessage, ServerResponse } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import type { Connection } from './environment.ts';

/**
 * A listener for node:http around a fetch handler, with the quick check before it.
 * @param ownProcess lets the adapter put its lighter Request and Response in the place of the global ones: a third of
 *   the time of a small request, but not ours to do in somebody else's process
 */
export function createNodeListener(
  fetch: (request: Request, connection?: Connection) => Response | Promise<Response>,
  quickCheck: (req: IncomingMessage, res: ServerResponse) => boolean,
  ownProcess = false,
): (req: IncomingMessage, res: ServerResponse) => void {
  const ordinary = getRequestListener(
    (request, environment) => fetch(request, { incoming: environment.incoming as IncomingMessage }),
    { overrideGlobalObjects: ownProcess },
  );
  return (req, res) => {
    if (!quickCheck(req, res)) void ordinary(req, res);
  };
}
