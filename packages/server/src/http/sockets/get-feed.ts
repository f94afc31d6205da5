import { serviceKey } from '../../domain/caller-rule.ts';
import { webSocket } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import { refuse } from '../respond.ts';

export const getFeed = serveRow(
  {
    method: 'get',
    path: '/v1/feed',
    operationId: 'followEndings',
    tags: ['WebSockets'],
    summary: 'What has ended, and from now on everything that ends',
    description:
      'For back ends with a service key that check credentials from their own memory. `@curfew/verifier` speaks it; its messages are in `packages/protocol/src/feed-messages.ts`. Whoever follows it is waited for by every logout, until it has acknowledged or its lease is over.',
    caller: serviceKey(null),
    responses: webSocket('The feed, as a WebSocket: say `hello` first.', 'not_authenticated'),
  },
  // The router sees no upgrades: this request asks for none.
  ({ c }) => refuse(c, 'upgrade_required'),
);
