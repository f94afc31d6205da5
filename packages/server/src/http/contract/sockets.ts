import { row, SERVICE, SESSION, webSocket } from './row.ts';

/* Addresses that are WebSockets. The upgrades are answered before the router, so a row's handler meets all the others. */

const TAG = ['WebSockets'];

export const feed = row({
  method: 'get',
  path: '/v1/feed',
  tags: TAG,
  summary: 'What has ended, and from now on everything that ends',
  description:
    'For back ends with a service key that check credentials from their own memory. `@curfew/verifier` speaks it; its messages are in `packages/protocol/src/feed.ts`. Whoever follows it is waited for by every logout, until it has acknowledged or its lease is over.',
  security: SERVICE,
  responses: webSocket('The feed, as a WebSocket: say `hello` first.', 'not_authenticated'),
});

export const notices = row({
  method: 'get',
  path: '/v1/notices',
  tags: TAG,
  summary: 'Tells a device when its session ends, and when the list of its user changes',
  description:
    'Offer the subprotocol `curfew.notices.v1`; a page without the cookie offers its token beside it, as `curfew.token.<token>`. A page of another origin than the trusted ones is refused. JSON texts come: `{"type":"hello"}`, `{"type":"sessions.changed"}`, `{"type":"session.ended"}` with `reason`, `by` and `at`. Close codes: 4401 the session has ended, 1012 connect again, 1013 later, 1008 the client said something. Listening does not count as using the session. See docs/notices.md.',
  security: SESSION,
  responses: webSocket(
    'The notices, as a WebSocket.',
    'invalid_request',
    'not_authenticated',
    'forbidden',
    'unavailable',
  ),
});
