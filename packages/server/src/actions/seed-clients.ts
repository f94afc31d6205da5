import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../config.ts';
import { changedTerms, type ClientRecord, isBuiltIn, seedsOf } from '../domain/client-terms.ts';
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
  const differing = [...differencesOf(config.givenClients, clients.records).keys()];
  if (differing.length > 0)
    system.log.warn(
      { setting: 'CURFEW_CLIENTS', clients: differing },
      'CURFEW_CLIENTS differs from the database for these applications: the database decides. Change them with `curfew clients update`, or remove them from the setting',
    );
}

/** The terms of which the setting says something else than the database, by client. A client that the database lacks has none. */
export function differencesOf(
  given: Config['givenClients'],
  records: readonly ClientRecord[],
): ReadonlyMap<string, string[]> {
  const there = new Map(records.map((record) => [record.clientId, record]));
  const differences = Object.entries(given).map(([clientId, said]): [string, string[]] => {
    const record = there.get(clientId);
    if (!record) return [clientId, []];
    const differing = Object.entries(changedTerms(record, said)).filter(
      ([name, value]) => !isDeepStrictEqual(value, record[name as keyof ClientRecord]),
    );
    return [clientId, differing.map(([name]) => name)];
  });
  return new Map(differences.filter(([, terms]) => terms.length > 0));
}
