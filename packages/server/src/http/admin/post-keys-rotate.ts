import { z } from '@hono/zod-openapi';
import * as field from '../../actions/fields.ts';
import { askForRecentLogin } from '../../actions/confirm-login.ts';
import { actOf } from '../../world/world.ts';
import { administratorToChange } from '../../domain/caller-rule.ts';
import { body, json, problems } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import { WRITE_PROBLEMS } from './problems.ts';
import { SIGNING_KEY, signingKeyView } from './signing-key.ts';

export const postKeysRotate = serveRow(
  {
    method: 'post',
    path: '/v1/admin/keys/rotate',
    operationId: 'rotateKeys',
    tags: ['Administration'],
    summary: 'Rotate the signing keys',
    description:
      'Creates new keys. They are published now and sign later. The old keys are kept until no token that they signed can be valid.',
    caller: administratorToChange('admin'),
    request: { body: body(z.strictObject({ note: field.note }), {}, false) },
    responses: {
      200: json('The keys.', z.object({ keys: z.array(signingKeyView) }), { keys: [SIGNING_KEY] }),
      ...problems(...WRITE_PROBLEMS),
    },
  },
  async ({ c, world, caller, input, context }) => {
    await askForRecentLogin(world, caller.session?.sid ?? null);
    return c.json({ keys: await world.keys.rotate(actOf(world, context(input.body.note), caller.actor)) });
  },
);
