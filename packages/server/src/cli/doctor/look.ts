import { openPlaces } from '../../system/places.ts';
import { apiOperator } from '../api-operator.ts';
import type { CommandLine } from '../declare.ts';
import { operatorLog } from '../operator-log.ts';
import { remoteServer } from '../reach.ts';
import { checkDirectory } from './directory.ts';
import type { Findings } from './findings.ts';
import { checkListening } from './listening.ts';
import { checkPostgres } from './postgres.ts';
import { checkRedis } from './redis.ts';
import { checkSettings } from './settings.ts';

/** Examines everything. */
export async function look(line: CommandLine, findings: Findings): Promise<void> {
  const remote = line.text('url') ?? line.environment['CURFEW_URL'] ?? '';
  if (remote !== '') await findings.look('CURFEW_URL', () => checkRemote(line, findings));
  // The settings of a server elsewhere are not here to be examined.
  if (line.text('url') !== undefined) return;
  const { config, bad } = checkSettings(line.environment, findings);
  const { database, redisUrl } = config;
  const log = operatorLog(config, line.terminal.streams);
  // Faulty settings were reported already, and what replaces them is not what was meant.
  if (!bad.has('DATABASE_URL'))
    await (database.kind === 'postgres'
      ? checkPostgres(config, database, log, findings)
      : checkDirectory(config, database.directory, log, findings));
  if (redisUrl !== null) await checkRedis(redisUrl, findings);
  const { places } = config;
  if (places !== null)
    await findings.look('CURFEW_PLACES', async () => {
      await openPlaces(places, () => undefined);
      findings.ok('CURFEW_PLACES', 'is readable.');
    });
  if (!bad.has('HOST') && !bad.has('PORT')) await checkListening(config, findings);
}

async function checkRemote(line: CommandLine, findings: Findings): Promise<void> {
  const remote = remoteServer(line);
  if (!remote) return;
  await apiOperator(remote.url, remote.serviceKey).keys();
  findings.ok('CURFEW_URL', `the server at ${remote.url} answers and accepts the key.`);
}
