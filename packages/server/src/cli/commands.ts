import { apiKeyCommands } from './api-keys.ts';
import { backupCommands } from './backup.ts';
import type { Command } from './declare.ts';
import { clientCommands } from './clients.ts';
import { doctorCommands } from './doctor.ts';
import { keyCommands } from './keys.ts';
import { logoutCommands } from './logout.ts';
import { migrateCommands } from './migrate.ts';
import { moveCommands } from './move.ts';
import { proveCommands } from './prove.ts';
import { sessionCommands } from './sessions.ts';
import { serveCommand } from './serve-command.ts';
import { userCommands } from './user.ts';
import { versionCommand } from './version-command.ts';
import { watchCommands } from './watch.ts';

/** Every command, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  serveCommand,
  ...migrateCommands,
  ...backupCommands,
  ...moveCommands,
  ...doctorCommands,
  ...userCommands,
  ...clientCommands,
  ...sessionCommands,
  ...logoutCommands,
  ...proveCommands,
  ...watchCommands,
  ...apiKeyCommands,
  ...keyCommands,
  versionCommand,
];
