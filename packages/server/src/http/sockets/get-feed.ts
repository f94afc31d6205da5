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
    summary: 'Follow the endings of sessions',
    description:
      'For back ends with a service key that check credentials from their own memory. It sends every ending that still matters, then every new one. `@curfew/verifier` speaks this protocol; `packages/protocol/src/feed-messages.ts` defines its messages. Every logout waits for each connected verifier until it has acknowledged or its lease has run out.',
    caller: serviceKey('verify', null, 'and clients'),
    responses: webSocket(
      'The feed, as a WebSocket. Send `hello` first.',
      'not_authenticated',
      'insufficient_scope',
      'too_many_invalid_keys',
    ),
  },
  // The router sees no upgrades: this request asks for none.
  ({ c }) => refuse(c, 'upgrade_required'),
);
