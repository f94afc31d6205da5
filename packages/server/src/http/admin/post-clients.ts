import { z } from '@hono/zod-openapi';
import { addClient } from '../../actions/change-client.ts';
import { clientTerms, termsIn } from '../../actions/client-fields.ts';
import * as field from '../../actions/fields.ts';
import { administratorToChange } from '../../domain/caller-rule.ts';
import { body, json, problems } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import { answerChange, CLIENT_CHANGE, clientChange } from './client.ts';
import { WRITE_PROBLEMS } from './problems.ts';

export const postClient = serveRow(
  {
    method: 'post',
    path: '/v1/admin/clients',
    operationId: 'createClient',
    tags: ['Administration'],
    summary: 'Create an application',
    description:
      'When the answer arrives, every node knows the application. The id of a deleted application is never used again.',
    caller: administratorToChange('admin'),
    request: {
      body: body(
        z.strictObject({
          client_id: field.clientId,
          ...z.object(clientTerms).partial().shape,
          note: field.note,
        }),
        { client_id: 'shop', name: 'The shop', audience: 'https://shop.example', idle_seconds: 1800 },
      ),
    },
    responses: {
      201: json('Created.', clientChange, CLIENT_CHANGE),
      ...problems(...WRITE_PROBLEMS, 'conflict'),
    },
  },
  async ({ c, world, caller, input, context }) => {
    const { client_id: clientId, note, ...asked } = input.body;
    const by = { actor: caller.actor, sid: caller.session?.sid ?? null };
    return answerChange(c, await addClient(world, clientId, termsIn(asked), by, context(note)), 201);
  },
);
