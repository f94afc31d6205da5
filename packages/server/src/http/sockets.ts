import { serviceCaller, sessionCaller } from './callers.ts';
import * as contract from './contract/sockets.ts';
import { refuse } from './respond.ts';
import { type Router, serveRow } from './contract/serve-row.ts';
import { onFault } from './v1.ts';

/* Requests to the WebSockets' addresses that do not ask for one. Those that do never come to the router. */

export function serveSockets(router: Router): void {
  serveRow(
    router,
    contract.feed,
    (c) => refuse(c, serviceCaller(c).kind === 'service' ? 'upgrade_required' : 'not_authenticated'),
    onFault,
  );

  serveRow(
    router,
    contract.notices,
    async (c) => {
      const caller = await sessionCaller(c, false);
      return refuse(c, caller.kind === 'refused' ? caller.code : 'upgrade_required');
    },
    onFault,
  );
}
