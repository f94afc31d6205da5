import { accessSync, constants, existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Logger } from 'pino';
import { type Config, WITHOUT_FSYNC } from '../../config.ts';
import { DirectoryInUse } from '../../store/open-errors.ts';
import { readAnnouncement } from '../announcement.ts';
import { answersTo } from '../ask-server.ts';
import { checkDatabase } from './database.ts';
import type { Findings } from './findings.ts';

const PING_MS = 3000;

/** The embedded database's directory: whether it is writable, which process has it open, and its content. */
export async function checkDirectory(
  config: Config,
  directory: string,
  log: Logger,
  findings: Findings,
): Promise<void> {
  const unwritable = unwritablePart(directory);
  if (unwritable !== null) {
    findings.problem('CURFEW_DATA', `${unwritable} cannot be written by this user.`);
    return;
  }
  if (!existsSync(join(directory, 'database'))) {
    findings.ok('CURFEW_DATA', `no database in ${directory} yet. The server creates one when it starts.`);
    return;
  }
  if (config.database.kind === 'embedded' && !config.database.fsync)
    findings.warning('CURFEW_EMBEDDED_FSYNC', `${WITHOUT_FSYNC}.`);
  await findings.look('CURFEW_DATA', async () => {
    try {
      // Imported only now: the engine is large.
      const { openDatabase } = await import('../../store/open-database.ts');
      const database = await openDatabase(config, log);
      try {
        findings.ok('CURFEW_DATA', `${directory} is free: no server has it open.`);
        await checkDatabase(config, database, findings);
      } finally {
        await database.close();
      }
    } catch (error) {
      if (!(error instanceof DirectoryInUse)) throw error;
      await checkHolder(directory, findings);
    }
  });
}

async function checkHolder(directory: string, findings: Findings): Promise<void> {
  const announced = readAnnouncement(directory);
  if (!announced)
    findings.warning(
      'CURFEW_DATA',
      `${directory} is in use by a process without an address: a server that is starting, or another command.`,
    );
  else if (await answersTo(announced.url, announced.key, PING_MS))
    findings.ok(
      'CURFEW_DATA',
      `${directory} is in use by the server at ${announced.url}, process ${announced.pid}, which answers.`,
    );
  else
    findings.problem(
      'CURFEW_DATA',
      `${directory} is in use by process ${announced.pid}, whose server at ${announced.url} does not answer.`,
    );
}

/** The directory, or its nearest existing parent, when it is not writable. */
function unwritablePart(directory: string): string | null {
  let part = resolve(directory);
  while (!existsSync(part) && dirname(part) !== part) part = dirname(part);
  try {
    accessSync(part, constants.W_OK | constants.X_OK);
    return null;
  } catch {
    // The advice is the same for each of the reasons.
    return part;
  }
}
