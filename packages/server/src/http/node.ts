import type { IncomingMessage, ServerResponse } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import type { Connection } from './environment.ts';

/** A listener for node:http around a fetch handler, with the quick check before it. */
export function createNodeListener(
  fetch: (request: Request, connection?: Connection) => Response | Promise<Response>,
  quickCheck: (req: IncomingMessage, res: ServerResponse) => boolean,
): (req: IncomingMessage, res: ServerResponse) => void {
  const ordinary = getRequestListener(
    (request, environment) => fetch(request, { incoming: environment.incoming as IncomingMessage }),
    // Embedded in somebody's process we leave their Request and Response alone.
    { overrideGlobalObjects: false },
  );
  return (req, res) => {
    if (!quickCheck(req, res)) void ordinary(req, res);
  };
}
