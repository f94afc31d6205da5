import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Config, ConfigError, readCommandSettings, readConfig } from '../config.ts';
import { COMMAND_SETTINGS } from '../command-settings.ts';
import { readAnnouncement } from './announcement.ts';
import { apiOperator } from './api-operator.ts';
import { answersTo } from './ask-server.ts';
import { type CommandLine, Failed, UsageError } from './declare.ts';
import type { Operator } from './operator.ts';

/** A starting server holds the directory for some seconds before it announces its address; another command holds it as long. */
const PATIENCE_MS = 8000;
const LOOK_MS = 200;
const PING_MS = 3000;

/** Opens the command's target, runs the work and closes it. */
export async function withOperator(
  line: CommandLine,
  work: (operator: Operator) => Promise<number>,
): Promise<number> {
  const operator = await openOperator(line);
  try {
    return await work(operator);
  } finally {
    await operator.close();
  }
}

/** The named server, else PostgreSQL, else the server that has the embedded database, else the embedded database. */
async function openOperator(line: CommandLine): Promise<Operator> {
  const remote = remoteServer(line);
  if (remote) return apiOperator(remote.url, remote.serviceKey);
  const config = readConfig(line.environment);
  return config.database.kind === 'postgres'
    ? openDirect(config, line)
    : openEmbeddedOrServer(config, config.database.directory, line);
}

/** The server that --url or CURFEW_URL names. */
export function remoteServer(line: CommandLine): { url: string; serviceKey: string } | null {
  const { url: fromEnvironment, serviceKey } = readCommandSettings(line.environment);
  const url = line.text('url') ?? fromEnvironment;
  if (url === null) return null;
  const parsed = COMMAND_SETTINGS.CURFEW_URL.form.safeParse(url);
  if (!parsed.success)
    throw new UsageError(`--url: ${parsed.error.issues[0]?.message ?? 'is not an address'}.`);
  if (serviceKey === null)
    throw new ConfigError(
      'CURFEW_SERVICE_KEY',
      `is required to call a server by its address. Set it to an API key of that server with the scope admin.`,
    );
  return { url, serviceKey };
}

async function openDirect(config: Config, line: CommandLine): Promise<Operator> {
  // Imported only now: a command that talks to a server needs neither database nor HTTP.
  const [{ openDirectOperator }, { operatorLog }] = await Promise.all([
    import('./direct-operator.ts'),
    import('./operator-log.ts'),
  ]);
  const explicitLevel = (line.environment['LOG_LEVEL'] ?? '') !== '';
  return openDirectOperator(config, operatorLog(config, line.terminal.streams, explicitLevel));
}

async function openEmbeddedOrServer(config: Config, directory: string, line: CommandLine): Promise<Operator> {
  if (!existsSync(join(directory, 'database')))
    throw new Failed(
      `no database in ${directory} yet. Run the command where the server runs, set CURFEW_DATA or DATABASE_URL, or create a database: curfew migrate.`,
    );
  const patientUntil = performance.now() + PATIENCE_MS;
  for (;;) {
    const announced = readAnnouncement(directory);
    if (announced && (await answersTo(announced.url, announced.key, PING_MS)))
      return apiOperator(announced.url, announced.key);
    try {
      return await openDirect(config, line);
    } catch (error) {
      const { DirectoryInUse } = await import('../store/open-errors.ts');
      if (!(error instanceof DirectoryInUse) || performance.now() > patientUntil) throw error;
      await sleep(LOOK_MS);
    }
  }
}
