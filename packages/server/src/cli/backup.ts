import { resolve } from 'node:path';
import { type Config, readConfig } from '../config.ts';
import type { Backup, Open } from '../store/backup.ts';
import { type Command, type CommandLine, EXIT, CommandRefused } from './declare.ts';
import { counted } from './terminal.ts';

const backup: Command = {
  words: 'backup',
  summary: 'Copy the embedded database into a directory, also while a server runs on it',
  description: [
    'Whatever was answered before the command began is in the copy: every login, every logout. The copy is a data directory with a list of its files (backup.json); the command opens it once, so a copy that is written can be opened.',
    'The key that encrypts the signing keys is in it too, unless you gave one in CURFEW_KEY. Keep the backup as safe as the database.',
    'Of PostgreSQL, make backups with its own tools.',
  ],
  operands: [{ name: 'DIRECTORY', about: 'Where to; it must not exist yet.' }],
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
      `Backed up ${contentsOf(made)} to ${target}.${made.has_key ? '' : ' The key is not in it: keep CURFEW_KEY somewhere else.'}`,
    );
    return EXIT.done;
  },
};

const restore: Command = {
  words: 'restore',
  summary: 'Put a backup of the embedded database into CURFEW_DATA',
  description: [
    'Every file is compared with the list first. CURFEW_DATA must hold no database: move the old one away.',
    'A restored backup is the past: sessions that were logged out since are alive in it again, and those that have begun since are unknown. Services that use the verifier begin anew by themselves. Unless nothing has happened since the backup, end everyone before you let users in: curfew logout --everyone.',
  ],
  operands: [{ name: 'DIRECTORY', about: 'The backup.' }],
  examples: ['CURFEW_DATA=data curfew restore /var/backups/curfew-monday'],
  async run(line) {
    const config = readConfig(line.environment);
    const directory = embeddedDirectory(line, config);
    const { restore: putBack } = await import('../store/backup.ts');
    const put = await putBack(resolve(line.operand), directory, await opener(line, config));
    line.terminal.answer(
      { directory, ...put },
      `Restored ${contentsOf(put)}, as of ${put.made_at}, to ${directory}.\nSessions that were logged out since then are alive again. To end everyone: curfew logout --everyone`,
    );
    return EXIT.done;
  },
};

export const backupCommands: Command[] = [backup, restore];

function embeddedDirectory(line: CommandLine, { database }: Config): string {
  if (database.kind === 'embedded') return database.directory;
  throw new CommandRefused(
    `DATABASE_URL names a PostgreSQL, and ${line.operand} would be a copy of an embedded database. Back up PostgreSQL with pg_dump or a base backup.`,
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
