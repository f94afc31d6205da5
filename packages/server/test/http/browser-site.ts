/** The authority as browsers reach it, with pages of the test beside it. */
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { hasPostgres } from '../services/fresh-database.ts';
import { openAuthority, type TestAuthority } from '../support.ts';
import { selfSigned } from './certificate.ts';

export const ID = 'id.example.test';

export interface Site {
  /** The authority's own origin. */
  origin: string;
  port: number;
  on: TestAuthority;
  close: () => Promise<void>;
}

/** An authority behind TLS, or on loopback without; beside it pages of the test under /test, for any host. */
export async function openSite(secure: boolean, settings: Record<string, string> = {}): Promise<Site> {
  let listener: RequestListener = (_req, res) => void res.end();
  const answer = (req: IncomingMessage, res: ServerResponse): void => {
    if (!req.url?.startsWith('/test')) return listener(req, res);
    const { searchParams } = new URL(req.url, 'http://here');
    res.setHeader('content-type', 'text/html');
    for (const cookie of searchParams.getAll('cookie')) res.appendHeader('set-cookie', cookie);
    res.end('<!doctype html><title>test</title>');
  };
  const server: Server = secure ? createHttpsServer(selfSigned(ID), answer) : createHttpServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  // A cookie of a domain needs one; every name under localhost is this machine.
  const plain = settings['CURFEW_COOKIE_DOMAIN'] === undefined ? 'localhost' : 'id.example.localhost';
  const origin = secure ? `https://${ID}:${port}` : `http://${plain}:${port}`;
  const on = await openAuthority(hasPostgres() ? 'postgres' : 'embedded', {
    CURFEW_ISSUER: origin,
    PORT: String(port),
    ...settings,
  });
  listener = on.authority.listener;
  server.on('upgrade', on.authority.upgrade);
  return {
    origin,
    port,
    on,
    close: async () => {
      on.authority.hangUp();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await on.close();
    },
  };
}
