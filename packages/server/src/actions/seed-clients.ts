import { isDeepStrictEqual } from 'node:util';
import { changedTerms, isBuiltIn, seedsOf } from '../domain/client-terms.ts';
import { insertClient } from '../store/client-rows.ts';
import { append } from '../store/log/append.ts';
import type { World } from '../world/world.ts';

const SERVER = { contract: 'v1', actor: 'system', ipAddress: null, userAgent: '', requestId: null } as const;

/**
 * Creates the built-in clients and those of CURFEW_CLIENTS where the database lacks them. After that the database decides: what
 * the setting says otherwise is named in the system log, and not obeyed.
 */
export async function seedClients({ database, system, config, clients }: World): Promise<void> {
  const act = { ...SERVER, at: system.now() };
  const there = new Set(clients.records.map(({ clientId }) => clientId));
  const created: string[] = [];
  for (const [clientId, terms] of seedsOf(config.givenClients)) {
    if (there.has(clientId)) continue;
    const made = await database.transaction(async (on) => {
      const record = await insertClient(on, clientId, terms, act.at);
      // Every node has the built-in ones before they are created.
      if (record && !isBuiltIn(clientId))
        await append(on, { type: 'client_created', userId: null, clientId, details: {} }, act);
      return record;
    });
    if (made) created.push(clientId);
  }
  if (created.length > 0) system.log.info({ clients: created }, 'applications were created');
  await clients.load();
  const records = new Map(clients.records.map((record) => [record.clientId, record]));
  const differing = Object.entries(config.givenClients).flatMap(([clientId, given]) => {
    const record = records.get(clientId);
    return record && isDeepStrictEqual(changedTerms(record, given), record) ? [] : [clientId];
  });
  if (differing.length > 0)
    system.log.warn(
      { setting: 'CURFEW_CLIENTS', clients: differing },
      'CURFEW_CLIENTS differs from the database for these applications: the database decides. Change them with `curfew clients update`, or remove them from the setting',
    );
}
