import { readConfig } from '../config.ts';
import { type Command, EXIT } from './declare.ts';
import { counted } from './terminal.ts';

const command: Command = {
  words: 'migrate',
  summary: 'Migrate the database to this version',
  description: [
    'A server does the same when it starts. This command does it beforehand and prints what it did. Several processes wait for each other. The command refuses a database that a newer version has migrated.',
  ],
  examples: ['curfew migrate', 'DATABASE_URL=postgres://localhost/curfew curfew migrate'],
  async run(line) {
    const config = readConfig(line.environment);
    const [{ openDatabase }, { migrate }, { findSpelledApart }, { operatorLog }] = await Promise.all([
      import('../store/open-database.ts'),
      import('../store/migrate.ts'),
      import('../store/users.ts'),
      import('./operator-log.ts'),
    ]);
    const database = await openDatabase(config, operatorLog(config, line.terminal.streams));
    try {
      const applied = await migrate(database, (name) => line.terminal.note(`Applying ${name}`));
      const apart = applied.length === 0 ? [] : await findSpelledApart(database);
      if (apart.length > 0)
        line.terminal.note(
          `${counted(apart.length, 'user')} (${apart.slice(0, 10).join(', ')}) have the address of another user, with decomposed characters. Each user logs in with the exact spelling. To list them: curfew doctor`,
        );
      line.terminal.answer(
        { applied },
        applied.length === 0
          ? 'The schema is up to date.'
          : `Applied ${counted(applied.length, 'migration')}. The schema is up to date.`,
      );
      return EXIT.done;
    } finally {
      await database.close();
    }
  },
};

export const migrateCommands: Command[] = [command];
