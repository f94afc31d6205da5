import { plainName } from '@curfew/protocol/reading/plain-name';
import { z } from '@hono/zod-openapi';
import { createKey } from '../../actions/create-key.ts';
import * as field from '../../actions/fields.ts';
import { administratorToChange } from '../../domain/caller-rule.ts';
import { inputFault } from '../contract/body.ts';
import { body, json, problems } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import { refuseInput } from '../respond.ts';
import { API_KEY, API_KEY_CHANGE, apiKeyChange, apiKeyChangeOf, scopes } from './api-key.ts';
import { WRITE_PROBLEMS } from './problems.ts';

export const postApiKey = serveRow(
  {
    method: 'post',
    path: '/v1/admin/api-keys',
    operationId: 'createApiKey',
    tags: ['Administration'],
    summary: 'Create an API key',
    description:
      'Returns the secret once: Curfew stores only its hash. When the answer arrives, every node accepts the key. A key’s name, application, scopes and expiry never change.',
    caller: administratorToChange('admin'),
    request: {
      body: body(
        z.strictObject({
          name: field.text(100).transform((name) => plainName(name)),
          client_id: field.clientId
            .nullable()
            .default(null)
            .describe(
              'The only application whose sessions the key reaches. Leave it out for an operator’s key.',
            ),
          scopes,
          expires_at: z.iso
            .datetime({ offset: true, message: 'must be a date and time in ISO 8601' })
            .nullable()
            .default(null)
            .describe('The key is refused from this time on. Default: never.'),
          note: field.note,
        }),
        { name: 'Shop back end', client_id: 'default', scopes: ['verify', 'sessions:open'] },
      ),
    },
    responses: {
      201: json('Created.', apiKeyChange.extend({ secret: z.string() }), {
        key: API_KEY,
        secret: 'curfew_ck_…',
        ...API_KEY_CHANGE,
      }),
      ...problems(...WRITE_PROBLEMS),
    },
  },
  async ({ c, world, caller, input, context }) => {
    const { client_id: clientId, expires_at, note, ...rest } = input.body;
    const wanted = { ...rest, clientId, expiresAt: expires_at === null ? null : new Date(expires_at) };
    const created = await createKey(
      world,
      wanted,
      { actor: caller.actor, sid: caller.session?.sid ?? null },
      context(note),
    );
    if (created.outcome === 'fault')
      return refuseInput(c, inputFault(created.fault.field, created.fault.message));
    const { key, secret, settled } = created;
    return c.json({ ...apiKeyChangeOf(c, key, settled), secret }, 201);
  },
);
