import { readConfig } from '../config.ts';
import { opener } from './backup.ts';
import { type Command, EXIT, CommandRefused, UsageError } from './declare.ts';
import { counted, table } from './terminal.ts';

const move: Command = {
  words: 'move',
  summary: 'Move the embedded database, with all its data, to an empty PostgreSQL database',
  description: [
    'The command moves users with their passwords, sessions, logouts, the log, signing keys and the cursors of the log readers. Users stay logged in. Stop the server first. One transaction moves everything, checked by counts and checksums, or nothing. If the command is interrupted, run it again.',
    'Afterwards the embedded database accepts no more changes and names its new address. The nodes on PostgreSQL need the key that encrypts the signing keys: your CURFEW_KEY, or the content of curfew.key in CURFEW_DATA.',
  ],
  options: { to: { value: 'DATABASE_URL', about: 'The PostgreSQL database. It must be empty.' } },
  examples: ['CURFEW_DATA=data curfew move --to postgres://curfew@db/curfew'],
  async run(line) {
    const url = line.text('to');
    if (url === undefined) throw new UsageError('--to is required: the address of the PostgreSQL database.');
    const config = readConfig(line.environment);
    if (config.database.kind !== 'embedded')
      throw new CommandRefused(
        'DATABASE_URL is set, but this command moves an embedded database. Unset DATABASE_URL and set CURFEW_DATA.',
      );
    const { directory } = config.database;
    const goal = readConfig({ ...line.environment, DATABASE_URL: url });
    const [{ openDatabase }, { moveDatabase }, { operatorLog }, open] = await Promise.all([
      import('../store/open-database.ts'),
      import('../store/move.ts'),
      import('./operator-log.ts'),
      opener(line, config),
    ]);
    const to = withoutSecrets(url, goal.database.kind === 'postgres' ? goal.database.schema : null);
    const target = await openDatabase(goal, operatorLog(goal, line.terminal.streams));
    try {
      const moved = await moveDatabase(directory, open, target, to, new Date(), (name, rows) =>
        line.terminal.note(`${name}: ${counted(rows, 'row')}`),
      );
      line.terminal.answer(
        { to, tables: moved },
        `${table(
          ['TABLE', 'ROWS'],
          moved.map((one) => [one.table, String(one.rows)]),
        )}\nMoved to ${to}. Start the nodes with DATABASE_URL and CURFEW_KEY.`,
      );
      return EXIT.done;
    } finally {
      await target.close();
    }
  },
};

export const moveCommands: Command[] = [move];

/** Host and database, to show and to store. */
function withoutSecrets(url: string, schema: string | null): string {
  const { hostname, port, pathname } = new URL(url);
  return `postgres://${hostname}${port ? `:${port}` : ''}${pathname}${schema === null ? '' : ` (schema ${schema})`}`;
}
