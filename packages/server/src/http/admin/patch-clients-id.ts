import { z } from '@hono/zod-openapi';
import { changeClient } from '../../actions/change-client.ts';
import { clientTerms, termsIn } from '../../actions/client-fields.ts';
import * as field from '../../actions/fields.ts';
import { previewEnding } from '../../actions/preview-ending.ts';
import { administratorToChange } from '../../domain/caller-rule.ts';
import { body, json, problems } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import * as shape from '../contract/shapes.ts';
import { refuse } from '../respond.ts';
import { answerChange, CLIENT_CHANGE, clientChange, clientParam, confirmedCount } from './client.ts';
import { WRITE_PROBLEMS } from './problems.ts';

export const patchClient = serveRow(
  {
    method: 'patch',
    path: '/v1/admin/clients/{id}',
    operationId: 'updateClient',
    tags: ['Administration'],
    summary: 'Change, disable or enable an application',
    description:
      'Disabling an application ends its sessions and refuses new ones. If it has sessions, the first request answers 409 with their number; repeat it with `confirm` set to that number. Lifetimes apply to sessions and tokens that begin afterwards. A new `audience` reaches verifiers that learn it from their key; a verifier that names its audience itself (`audience` of `createVerifier`) refuses the new tokens, and accepts earlier ones until they expire, until its option is changed.',
    caller: administratorToChange('admin'),
    request: {
      params: clientParam,
      body: body(
        z
          .strictObject({
            ...z.object(clientTerms).partial().shape,
            disabled: z.boolean().optional(),
            confirm: confirmedCount,
            dry_run: shape.dryRun,
            note: field.note,
          })
          .refine(
            ({ note: _note, confirm: _confirm, dry_run: _dryRun, ...change }) =>
              Object.keys(change).length > 0,
            'at least one member to change must be given',
          ),
        { name: 'The new shop' },
      ),
    },
    responses: {
      200: json(
        'Changed; or, with `dry_run`, the sessions that would end.',
        z.union([clientChange, shape.preview]),
        CLIENT_CHANGE,
      ),
      ...problems(...WRITE_PROBLEMS, 'not_found', 'confirmation_required'),
    },
  },
  async ({ c, world, caller, input, context }) => {
    const { disabled, confirm = null, dry_run: dryRun, note, ...asked } = input.body;
    const { id: clientId } = input.params;
    if (dryRun) {
      const known = world.clients.records.find((record) => record.clientId === clientId);
      if (!known) return refuse(c, 'not_found');
      const closes = disabled === true && known.disabledAt === null;
      return c.json(
        await previewEnding(world, closes ? { scope: 'client', clientId } : { scope: 'sessions', sids: [] }),
      );
    }
    const by = { actor: caller.actor, sid: caller.session?.sid ?? null, confirm };
    const change = { ...termsIn(asked), ...(disabled === undefined ? {} : { disabled }) };
    return answerChange(c, await changeClient(world, clientId, change, by, context(note)));
  },
);
