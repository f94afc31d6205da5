import { LISTENER } from '../../domain/caller-rule.ts';
import { webSocket } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import { refuse } from '../respond.ts';

export const getNotices = serveRow(
  {
    method: 'get',
    path: '/v1/notices',
    operationId: 'followNotices',
    tags: ['WebSockets'],
    summary: 'Notify a device when its session ends or the list of its user changes',
    description:
      'Offer the subprotocol `curfew.notices.v1`. A page without the cookie also offers its token, as `curfew.token.<token>`. Curfew refuses a page of an untrusted origin. The messages are JSON: `{"type":"hello"}`, `{"type":"sessions.changed"}`, `{"type":"session.ended"}` with `reason`, `by` and `at`. Close codes: 4401 the session has ended, 1012 connect again, 1013 later, 1008 the client sent a message. Listening does not count as activity. See docs/notices.md.',
    caller: LISTENER,
    responses: webSocket(
      'The notices, as a WebSocket.',
      'invalid_request',
      'not_authenticated',
      'forbidden',
      'unavailable',
    ),
  },
  // The router sees no upgrades: this request asks for none.
  ({ c }) => refuse(c, 'upgrade_required'),
);
