import { changePassword, changeUser, deleteUser, resetPassword } from './acts/accounts.ts';
import { crowd, logIn, vouch } from './acts/logins.ts';
import { endAsAdministrator, logOut } from './acts/logouts.ts';
import { refresh } from './acts/refreshes.ts';
import { edge, wait } from './acts/time.ts';
import type { Command } from './commands.ts';
import { checkEveryCredential } from './look.ts';
import type { Play } from './play.ts';

/** Plays a command, each on the node whose turn it is. */
export async function run(play: Play, command: Command): Promise<void> {
  play.at = command.at;
  switch (command.do) {
    case 'log in':
      return logIn(play, command);
    case 'vouch':
      return vouch(play, command);
    case 'crowd':
      return crowd(play, command);
    case 'refresh':
      return refresh(play, command);
    case 'log out':
      return logOut(play, command);
    case 'log out as administrator':
      return endAsAdministrator(play, command.by, command.forged, command.target);
    case 'change user':
      return changeUser(play, command);
    case 'delete user':
      return deleteUser(play, command);
    case 'reset password':
      return resetPassword(play, command);
    case 'change password':
      return changePassword(play, command);
    case 'wait':
      return wait(play, command);
    case 'edge':
      return edge(play, command);
    case 'look':
      return checkEveryCredential(play.stage, play.reference, command.dice);
  }
}
