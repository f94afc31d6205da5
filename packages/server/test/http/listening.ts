/** An authority behind a real node:http server, as a process serves it. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Caller, callerOf, openAuthority, routeBackend, type TestAuthority } from '../support.ts';

export const TRUSTED = 'https://app.example.net';

export interface Listening {
  on: TestAuthority;
  server: Server;
  port: number;
  call: Caller;
  close: () => Promise<void>;
}

export async function openListening(): Promise<Listening> {
  const on = await openAuthority(routeBackend(), { CURFEW_TRUSTED_ORIGINS: TRUSTED });
  const server = createServer({ maxHeaderSize: on.authority.config.maxHeaderBytes }, on.authority.listener);
  server.on('upgrade', on.authority.upgrade);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    on,
    server,
    port,
    call: callerOf((asked) => fetch(asked), `http://127.0.0.1:${port}`),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await on.close();
    },
  };
}
