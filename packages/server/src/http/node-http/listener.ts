import type { IncomingMessage, ServerResponse } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { problem } from '@curfew/protocol/errors';
import type { Connection } from '../connection.ts';
import { SECURITY_HEADERS } from '../headers.ts';
import { readTarget } from './target.ts';

/**
 * A listener for node:http around a fetch handler, with the quick check before it.
 * @param options `ownProcess` lets the adapter replace the global Request and Response by lighter ones: a third of the time of a small
 * request, but not allowed in another program's process
 */
export function createNodeListener(
  fetch: (request: Request, connection?: Connection) => Response | Promise<Response>,
  quickCheck: (req: IncomingMessage, res: ServerResponse) => boolean,
  { basePath = '', ownProcess = false }: { basePath?: string; ownProcess?: boolean } = {},
): (req: IncomingMessage, res: ServerResponse) => void {
  const ordinary = getRequestListener(
    (request, environment) => fetch(request, { incoming: environment.incoming as IncomingMessage }),
    { overrideGlobalObjects: ownProcess },
  );
  return (req, res) => {
    const target = readTarget(req, basePath);
    if (target === null) return refuseTarget(res);
    req.url = target.url;
    if (quickCheck(req, res)) return;
    // The adapter requires a complete URL, and accepts fewer hosts than exist. Nothing reads this part of it.
    req.headers.host = 'localhost';
    void ordinary(req, res);
  };
}

function refuseTarget(res: ServerResponse): void {
  const detail = 'The request must have exactly one Host header, and it must name a host.';
  const body = JSON.stringify(problem('invalid_request', { detail }));
  res.writeHead(400, {
    ...Object.fromEntries(SECURITY_HEADERS),
    'Content-Type': 'application/problem+json',
    'Content-Length': Buffer.byteLength(body),
    Connection: 'close',
  });
  res.end(body);
}
