import { type Config, RENAMED } from '../config.ts';
import { PASSWORD_MIN_LENGTH } from '../domain/password.ts';
import type { Database } from '../store/database.ts';
import { claimIncarnation } from '../store/epoch.ts';
import { migrate } from '../store/migrate.ts';
import { bringLogBack } from '../store/restored.ts';
import { findSpelledApart } from '../store/users.ts';
import type { System } from '../system/system.ts';

/** The migration that brings addresses to their canonical spelling, where that is not taken. */
const ONE_SPELLING = '0008-one-spelling.sql';
/** How long a start waits for a database in silence. */
const SILENCE_MS = 500;

/** Makes a database ready for a node, and logs what its operator should know. */
export async function prepareDatabase(
  config: Config,
  system: System,
  database: Database,
  onStep: (what: string) => void,
): Promise<void> {
  const { log } = system;
  const stopWaiting = system.after(SILENCE_MS, () => onStep(`waiting for ${database.description}`));
  const heard = (what: string): void => {
    stopWaiting();
    onStep(what);
  };
  const applied = await migrate(database, (name) => heard(`applying migration ${name}`), heard).finally(
    stopWaiting,
  );
  if (applied.length > 0) log.info({ applied }, 'the schema was migrated');
  const apart = applied.includes(ONE_SPELLING) ? await findSpelledApart(database) : [];
  if (apart.length > 0)
    log.warn(
      { user_ids: apart },
      'the e-mail addresses of these users differ from those of other users only in composed characters. Each user logs in with the exact spelling. Run: curfew doctor',
    );
  if (config.passwordMinLength < PASSWORD_MIN_LENGTH)
    log.warn(
      { setting: 'CURFEW_PASSWORD_MIN_LENGTH' },
      `new passwords may have only ${config.passwordMinLength} characters: fewer than ${PASSWORD_MIN_LENGTH} are quickly guessed`,
    );
  if (config.serviceKeys.length > 0)
    log.warn(
      { setting: 'CURFEW_SERVICE_KEYS' },
      'each of these keys may do everything, for every application. Create an API key for each back end (curfew api-keys create), give the back end that one, then remove this setting',
    );
  for (const was of config.oldNames)
    log.warn({ setting: was }, `${was} is the old name of ${RENAMED[was]}: use the new name`);
  const broughtBack = await bringLogBack(database);
  if (broughtBack)
    log.warn(
      broughtBack,
      'the database was restored from another PostgreSQL server: its log was renumbered, and its readers continue where they stopped',
    );
  await claimIncarnation(database);
}
