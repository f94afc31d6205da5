import { resolve } from 'node:path';
import { type Config, readConfig } from '../config.ts';
import type { Backup, Open } from '../store/backup.ts';
import type { ApiKeyRecord } from '../store/issued-keys.ts';
import { type Command, type CommandLine, EXIT, CommandRefused, UsageError } from './declare.ts';
import { counted, table } from './terminal.ts';
import { programVersion } from './version.ts';

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
    'A restored backup is an older state: sessions that were logged out since the backup are alive again, and sessions that began since are gone. Services that use the verifier start over by themselves. Before you let users in, log everyone out: curfew logout --everyone.',
    'API keys that were revoked since the backup would be live again too. So the command restores a backup with live keys only with --revoke-api-keys or --keep-api-keys; without them it lists the keys and restores nothing (exit code 3). Keys that were created since the backup are gone.',
  ],
  operands: [{ name: 'DIRECTORY', about: 'The directory of the backup.' }],
  options: {
    'revoke-api-keys': { about: 'Revoke every API key of the backup. Back ends then need new keys.' },
    'keep-api-keys': { about: 'Keep every API key that was live at the backup, also those revoked since.' },
  },
  examples: [
    'CURFEW_DATA=data curfew restore /var/backups/curfew-monday',
    'CURFEW_DATA=data curfew restore /var/backups/curfew-monday --revoke-api-keys',
  ],
  async run(line) {
    const config = readConfig(line.environment);
    const directory = embeddedDirectory(line, config);
    const decision = keysDecision(line);
    const [{ KeysUndecided, restore: putBack }, { apiKeyView }] = await Promise.all([
      import('../store/backup.ts'),
      import('../actions/api-key-view.ts'),
    ]);
    const act = {
      at: new Date(),
      actor: 'operator',
      contract: 'cli',
      ipAddress: null,
      userAgent: `curfew/${programVersion()}`,
      requestId: null,
      note: 'revoked by curfew restore',
    };
    const open = await opener(line, config);
    const { keys, ...put } = await putBack(resolve(line.operand), directory, open, decision, act).catch(
      (error: unknown) => {
        if (!(error instanceof KeysUndecided)) throw error;
        line.terminal.note(keyTable(error.keys));
        throw new CommandRefused(UNDECIDED);
      },
    );
    line.terminal.answer(
      { directory, ...put, api_keys: keys.map(apiKeyView) },
      [
        `Restored ${contentsOf(put)}, as of ${put.made_at}, to ${directory}.`,
        'Sessions that were logged out since then are alive again. To log everyone out: curfew logout --everyone',
        ...(keys.length === 0 ? [] : [decision === 'revoke' ? revoked(keys) : kept(keys)]),
      ].join('\n'),
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

function keysDecision(line: CommandLine): 'keep' | 'revoke' | null {
  const [keep, revoke] = [line.flag('keep-api-keys'), line.flag('revoke-api-keys')];
  if (keep && revoke) throw new UsageError('specify one of --keep-api-keys and --revoke-api-keys.');
  return keep ? 'keep' : revoke ? 'revoke' : null;
}

const UNDECIDED =
  'nothing was restored: these API keys were live at the backup, also those that you revoked since. To revoke all of them, repeat with --revoke-api-keys. If you revoked none since, repeat with --keep-api-keys; if you revoked some, do that too, and revoke them again before the server starts: curfew api-keys revoke.';

const revoked = (keys: readonly ApiKeyRecord[]): string =>
  `Revoked these API keys. Give the back ends new ones: curfew api-keys create\n${keyTable(keys)}`;

const kept = (keys: readonly ApiKeyRecord[]): string =>
  `These API keys are live, also those that were revoked since then. To revoke one: curfew api-keys revoke ID\n${keyTable(keys)}`;

const keyTable = (keys: readonly ApiKeyRecord[]): string =>
  table(
    ['KEY', 'NAME', 'APPLICATION', 'CREATED', 'LAST USED'],
    keys.map((key) => [
      String(key.id),
      key.name,
      key.client_id ?? '(operator)',
      key.created_at.toISOString(),
      key.last_used_at?.toISOString() ?? 'never',
    ]),
  );

const contentsOf = ({ counts: { users, sessions, events } }: Backup): string =>
  `${counted(users, 'user')}, ${counted(sessions, 'session')} and ${counted(events, 'event')}`;
