import { z } from '@hono/zod-openapi';
import { removeClient } from '../../actions/change-client.ts';
import * as field from '../../actions/fields.ts';
import { previewEnding } from '../../actions/preview-ending.ts';
import { administratorToChange } from '../../domain/caller-rule.ts';
import { body, json, problems } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import * as shape from '../contract/shapes.ts';
import { refuse } from '../respond.ts';
import { answerChange, CLIENT_CHANGE, clientChange, clientParam, confirmedCount } from './client.ts';
import { WRITE_PROBLEMS } from './problems.ts';

export const deleteClientById = serveRow(
  {
    method: 'delete',
    path: '/v1/admin/clients/{id}',
    operationId: 'deleteClient',
    tags: ['Administration'],
    summary: 'Delete an application',
    description:
      'Ends its sessions, revokes its API keys and refuses new sessions. Its id is never used again. If it has sessions, the first request answers 409 with their number; repeat it with `confirm` set to that number. Built-in applications cannot be deleted.',
    caller: administratorToChange('admin'),
    request: {
      params: clientParam,
      body: body(
        z.strictObject({ confirm: confirmedCount, dry_run: shape.dryRun, note: field.note }),
        {},
        false,
      ),
    },
    responses: {
      200: json(
        'Deleted; or, with `dry_run`, the sessions that would end.',
        z.union([clientChange, shape.preview]),
        CLIENT_CHANGE,
      ),
      ...problems(...WRITE_PROBLEMS, 'not_found', 'confirmation_required'),
    },
  },
  async ({ c, world, caller, input, context }) => {
    const { confirm = null, dry_run: dryRun, note } = input.body;
    const { id: clientId } = input.params;
    if (dryRun)
      return world.clients.records.some((record) => record.clientId === clientId)
        ? c.json(await previewEnding(world, { scope: 'client', clientId }))
        : refuse(c, 'not_found');
    const by = { actor: caller.actor, sid: caller.session?.sid ?? null, confirm };
    return answerChange(c, await removeClient(world, clientId, by, context(note)));
  },
);
