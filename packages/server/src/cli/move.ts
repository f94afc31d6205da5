import { readConfig } from '../config.ts';
import { opener } from './backup.ts';
import { type Command, EXIT, CommandRefused, UsageError } from './declare.ts';
import { counted, table } from './terminal.ts';

const move: Command = {
  words: 'move',
  summary: 'Move the embedded database into an empty PostgreSQL, with everything in it',
  description: [
    'Users with their passwords, sessions, logouts, the log, signing keys, the places of its readers: people stay logged in. Stop the server first. All of it arrives in one transaction, compared by counts and checksums, or nothing does; run it again after it was broken off.',
    'Afterwards the embedded database takes nothing more, and says where it went. The nodes on PostgreSQL need the key that the signing keys are encrypted with: your CURFEW_KEY, or what stands in curfew.key in CURFEW_DATA.',
  ],
  options: { to: { value: 'DATABASE_URL', about: 'The PostgreSQL; its database must be empty.' } },
  examples: ['CURFEW_DATA=data curfew move --to postgres://curfew@db/curfew'],
  async run(line) {
    const url = line.text('to');
    if (url === undefined) throw new UsageError('--to is needed: the address of the PostgreSQL.');
    const config = readConfig(line.environment);
    if (config.database.kind !== 'embedded')
      throw new CommandRefused(
        'DATABASE_URL is set, and what is moved is an embedded database. Unset it, and set CURFEW_DATA.',
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
        )}\nMoved to ${to}. Start the nodes with DATABASE_URL, and with the key in CURFEW_KEY.`,
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
