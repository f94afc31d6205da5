import { clientView } from '../actions/client-view.ts';
import { addClient, changeClient, removeClient } from '../actions/change-client.ts';
import { logoutView } from '../actions/logout-view.ts';
import type { RequestContext, World } from '../world/world.ts';
import { CommandRefused } from './declare.ts';
import type { Operator } from './operator.ts';

/** The administration of clients on the database itself. */
export function directClients(
  world: World,
  changer: { actor: string; sid: null },
  context: RequestContext,
): Pick<Operator, 'clients' | 'changeClient'> {
  const { clients, system } = world;
  return {
    async clients() {
      await clients.load();
      return clients.records.map(clientView);
    },
    async changeClient({ does, clientId, change }, { confirm, note }) {
      const begunMs = system.monotonicMs();
      const by = { ...changer, confirm };
      const { disabled, ...asked } = change;
      const terms = await readTerms(asked);
      const about = { ...context, note };
      const closing = typeof disabled === 'boolean' ? { disabled } : {};
      const changed =
        does === 'create'
          ? await addClient(world, clientId, terms, by, about)
          : does === 'update'
            ? await changeClient(world, clientId, { ...terms, ...closing }, by, about)
            : await removeClient(world, clientId, by, about);
      switch (changed.outcome) {
        case 'confirmation_required':
          return changed;
        case 'unknown':
          throw new CommandRefused(`no such application: ${clientId}.`);
        case 'taken':
          throw new CommandRefused(`the application ${clientId} already exists, or existed.`);
        case 'fault': {
          const { field, message } = (await wire()).faultIn(changed.fault);
          throw new CommandRefused(`${field}: ${message}.`);
        }
        case 'done': {
          const ms = Math.round((system.monotonicMs() - begunMs) * 100) / 100;
          return {
            outcome: 'done',
            result: { client: clientView(changed.client), ...logoutView(changed.settled, ms) },
          };
        }
      }
    },
  };
}

/** Imported where it is used, because the help does not need it. */
const wire = () => import('../actions/client-fields.ts');

/** As the API reads them. @throws CommandRefused */
async function readTerms(change: Record<string, unknown>) {
  const [{ clientTerms, termsIn }, { z }] = await Promise.all([wire(), import('zod')]);
  const read = z.strictObject(clientTerms).partial().safeParse(change);
  if (read.success) return termsIn(read.data);
  const [issue] = read.error.issues;
  throw new CommandRefused(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'is not valid'}.`);
}
