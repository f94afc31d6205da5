import { z } from '@hono/zod-openapi';
import * as field from '../../actions/fields.ts';
import { revokeKey } from '../../actions/revoke-key.ts';
import { administratorToChange } from '../../domain/caller-rule.ts';
import { body, json, problems } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import { refuse } from '../respond.ts';
import { idParam } from './account.ts';
import { API_KEY, API_KEY_CHANGE, apiKeyChange, apiKeyChangeOf } from './api-key.ts';
import { WRITE_PROBLEMS } from './problems.ts';

export const deleteApiKey = serveRow(
  {
    method: 'delete',
    path: '/v1/admin/api-keys/{id}',
    operationId: 'revokeApiKey',
    tags: ['Administration'],
    summary: 'Revoke an API key',
    description:
      'When the answer arrives, no node accepts the key, and its feeds are closed. A verifier that used it trusts its memory for one more lease at most. The key stays in the list of revoked keys.',
    caller: administratorToChange('admin'),
    request: {
      params: idParam,
      body: body(
        z.strictObject({
          confirm_last_admin_key: z
            .boolean()
            .optional()
            .describe(
              'Continue even if no key with the scope `admin` would be left. Without it the answer is 409.',
            ),
          note: field.note,
        }),
        {},
        false,
      ),
    },
    responses: {
      200: json('Revoked.', apiKeyChange, {
        key: { ...API_KEY, revoked_at: '2026-11-20T13:00:00.000Z', revoked_by: 'user:1' },
        ...API_KEY_CHANGE,
      }),
      ...problems(...WRITE_PROBLEMS, 'not_found', 'last_admin_key'),
    },
  },
  async ({ c, world, caller, input, context }) => {
    const { note, confirm_last_admin_key: confirmsLast = false } = input.body;
    const revoked = await revokeKey(
      world,
      input.params.id,
      { actor: caller.actor, sid: caller.session?.sid ?? null, confirmsLast },
      context(note),
    );
    return revoked ? c.json(apiKeyChangeOf(c, revoked.key, revoked.settled)) : refuse(c, 'not_found');
  },
);
