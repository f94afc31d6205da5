import { PROBLEMS } from '@curfew/protocol/errors';
import { z } from '@hono/zod-openapi';
import * as field from '../../actions/fields.ts';
import { revokeCredential } from '../../actions/revoke-credential.ts';
import { dependent, NOBODY, serviceKey } from '../../domain/caller-rule.ts';
import { form } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import { propagationHeader } from '../respond.ts';
import { oauthError, oauthErrors, oauthFault } from './errors.ts';

/** A client without a secret names itself and shows what it holds. With `Authorization` the caller is a back end with a key. */
const KEY = serviceKey('sessions:end', 'service_key_refused', 'and clients');
const HOLDER_OR_KEY = dependent<typeof NOBODY | typeof KEY>([NOBODY, KEY], ({ from }) =>
  from.via === 'header' ? KEY : NOBODY,
);

const NOT_DONE = 'Not revoked. The token may still be valid. Try again.';
const OF_ANOTHER = 'The token was issued to another client.';

export const postRevoke = serveRow(
  {
    method: 'post',
    path: '/oauth/revoke',
    operationId: 'revokeToken',
    tags: ['OAuth'],
    summary: 'Revoke a token (RFC 7009)',
    description:
      'Ends the session of the token, whatever kind of credential it is, and with it every other credential of that session. Answers when that is true on every node and verifier. A client without a key sends its `client_id` and can revoke its own tokens. A back end sends a key with the scope `sessions:end`; a client’s key reaches its own client. A token that is unknown, expired or over is answered 200 too (section 2.2). After 503 the token may still be valid. `token_type_hint` changes nothing.',
    caller: HOLDER_OR_KEY,
    request: {
      body: form(
        z.object({
          token: z.string().min(1).max(4096),
          token_type_hint: z.string().max(64).optional(),
          client_id: field.clientId.optional().describe('Required without a key.'),
        }),
        { token: 'eyJ…', client_id: 'default' },
      ),
    },
    responses: {
      200: {
        description:
          'Revoked, or not valid before. The header `Curfew-Propagation` says what was waited for.',
      },
      ...oauthErrors({
        400: ['invalid_grant', OF_ANOTHER],
        401: ['invalid_client', 'The key is not valid.'],
        403: ['insufficient_scope', 'The key may not end sessions.'],
        413: ['invalid_request', 'The request is too large.'],
        415: ['invalid_request', 'The body must be application/x-www-form-urlencoded.'],
        429: ['too_many_invalid_keys', PROBLEMS.too_many_invalid_keys.title],
        503: ['temporarily_unavailable', NOT_DONE],
      }),
    },
  },
  async ({ c, world, caller, input, context }) => {
    const { token, client_id: named = null } = input.body;
    const key = caller.kind === 'service' ? caller : null;
    if (key === null && named === null)
      return oauthError(c, 'invalid_request', 'client_id: is required without a key');
    const clientId = key?.reach.clientId ?? named;
    if (named !== null && named !== clientId)
      return oauthError(c, 'invalid_client', 'client_id: is not the client of the key', {
        headers: { 'www-authenticate': 'Bearer' },
      });
    const revoked = await revokeCredential(world, token, { clientId, actor: key?.actor ?? null }, context());
    if (revoked === 'of another client') return oauthError(c, 'invalid_grant', OF_ANOTHER);
    return c.body(null, 200, revoked === 'no credential' ? {} : propagationHeader(c, revoked));
  },
  (c, fault) => oauthFault(c, fault, NOT_DONE),
);
