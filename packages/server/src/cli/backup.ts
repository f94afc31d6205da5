import { resolve } from 'node:path';
import { type Config, readConfig } from '../config.ts';
import type { Backup, Open } from '../store/backup.ts';
import { type Command, type CommandLine, EXIT, CommandRefused } from './declare.ts';
import { counted } from './terminal.ts';

const backup: Command = {
  words: 'backup',
  summary: 'Back up the embedded database to a directory, also while a server uses it',
  description: [
    'The backup contains every login and logout that was answered before the command started. It is a data directory with a list of its files (backup.json). The command opens it once to check that it works.',
    'The backup also contains the key that encrypts the signing keys, unless you set CURFEW_KEY. Keep the backup as safe as the database.',
    'Back up PostgreSQL with its own tools.',
  ],
  operands: [{ name: 'DIRECTORY', about: 'The directory to create. It must not exist yet.' }],
  examples: ['curfew backup /var/backups/curfew-monday'],
  async run(line) {
    const config = readConfig(line.environment);
    const directory = embeddedDirectory(line, config);
    const target = resolve(line.operand);
    const [{ refuseMoved }, { backUp }] = await Promise.all([
      import('../store/move.ts'),
      import('../store/backup.ts'),
    ]);
    refuseMoved(directory);
    const made = await backUp(
      directory,
      target,
      config.encryptionKey === null,
      await opener(line, config),
      new Date(),
    );
    line.terminal.answer(
      { directory: target, ...made },
      `Backed up ${contentsOf(made)} to ${target}.${made.has_key ? '' : ' The backup does not contain CURFEW_KEY: keep the key somewhere else.'}`,
    );
    return EXIT.done;
  },
};

const restore: Command = {
  words: 'restore',
  summary: 'Restore a backup of the embedded database to CURFEW_DATA',
  description: [
    'The command first compares every file with the list. CURFEW_DATA must not contain a database: move the old one away.',
    'A restored backup is an older state: sessions that were logged out since the backup are alive again, and sessions that began since are gone. Services that use the verifier start over by themselves. Before you let users in, log everyone out: curfew logout --everyone. API keys that were revoked since the backup are valid again: revoke them again, or every key that you do not know: curfew api-keys list.',
  ],
  operands: [{ name: 'DIRECTORY', about: 'The directory of the backup.' }],
  examples: ['CURFEW_DATA=data curfew restore /var/backups/curfew-monday'],
  async run(line) {
    const config = readConfig(line.environment);
    const directory = embeddedDirectory(line, config);
    const { restore: putBack } = await import('../store/backup.ts');
    const put = await putBack(resolve(line.operand), directory, await opener(line, config));
    line.terminal.answer(
      { directory, ...put },
      `Restored ${contentsOf(put)}, as of ${put.made_at}, to ${directory}.\nSessions that were logged out since then are alive again. To log everyone out: curfew logout --everyone\nAPI keys that were revoked since then are valid again. To look at them: curfew api-keys list`,
    );
    return EXIT.done;
  },
};

export const backupCommands: Command[] = [backup, restore];

function embeddedDirectory(line: CommandLine, { database }: Config): string {
  if (database.kind === 'embedded') return database.directory;
  throw new CommandRefused(
    `DATABASE_URL is set, but ${line.operand} would be a backup of an embedded database. Back up PostgreSQL with pg_dump or a base backup.`,
  );
}

/** Opens the embedded database in a directory, to sync what is written; a disk failure ends the command. */
export async function opener(line: CommandLine, config: Config): Promise<Open> {
  const [{ openEmbedded }, { endProcess }, { operatorLog }] = await Promise.all([
    import('../store/embedded.ts'),
    import('../system/end-process.ts'),
    import('./operator-log.ts'),
  ]);
  const log = operatorLog(config, line.terminal.streams);
  return (directory) => openEmbedded(directory, { onFailure: (failure) => endProcess(log, failure) });
}

const contentsOf = ({ counts: { users, sessions, events } }: Backup): string =>
  `${counted(users, 'user')}, ${counted(sessions, 'session')} and ${counted(events, 'event')}`;
