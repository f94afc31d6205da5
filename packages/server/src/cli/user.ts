import type { Account } from '@curfew/protocol/wire/user';
import type { Role } from '../domain/session.ts';
import { type Command, type CommandLine, EXIT, type Option, CommandRefused, UsageError } from './declare.ts';
import { EXTERNAL_OPTIONS, externalOf, requireUser, requireEmail, USER_OPERAND } from './arguments.ts';
import type { Operator } from './operator.ts';
import { withOperator } from './reach.ts';
import { generatePassword, readNewPassword } from './secret.ts';
import { plain, table } from './terminal.ts';

const GENERATE: Option = { about: 'Generate a random password and print it once.' };
const PASSWORD_TEXT =
  'The command asks for the password without echo, or reads the first line of standard input. There is no option for it, because other users can see arguments and the shell keeps them in its history.';

const LAST: Record<string, Option> = {
  'last-administrator': { about: 'Continue even if no administrator is left.' },
};

const list: Command = {
  words: 'user list',
  summary: 'Find users',
  anywhere: true,
  options: {
    query: { value: 'TEXT', about: 'Only users with this text in the name or e-mail address.' },
    ...EXTERNAL_OPTIONS,
    limit: { value: 'N', about: 'List at most N, from 1 to 1000. Default: 100.' },
    after: { value: 'ID', about: 'Continue the list after the user with this id.' },
  },
  examples: ['curfew user list', 'curfew user list --query example.com --json'],
  async run(line) {
    const filter = {
      query: line.text('query') ?? null,
      external: await externalOf(line),
      after: line.integer('after', 0) ?? 0,
      limit: line.integer('limit', 1, 1000) ?? 100,
    };
    return withOperator(line, async (operator) => {
      const { users, next } = await operator.users(filter);
      line.terminal.answer({ users, next }, userTable(users));
      if (next !== null) line.terminal.note(`There are more: --after ${next}`);
      return EXIT.done;
    });
  },
};

const add: Command = {
  words: 'user add',
  summary: 'Create a user',
  description: [PASSWORD_TEXT],
  anywhere: true,
  operands: [{ name: 'EMAIL', about: 'The e-mail address that the user logs in with.' }],
  options: {
    name: { value: 'NAME', about: 'The name of the user.' },
    role: { value: 'ROLE', about: 'user or admin. Default: user.' },
    workspace: { value: 'NAME', about: 'The workspace of the user.' },
    generate: GENERATE,
    'no-password': { about: 'Create the user without a password, for a login elsewhere.' },
  },
  examples: [
    'curfew user add ada@example.com --name Ada --role admin',
    'curfew user add ada@example.com --generate --json',
  ],
  async run(line) {
    const email = await requireEmail(line.operand);
    const role = readRole(line.text('role') ?? 'user');
    const chosen = line.flag('no-password') ? null : await choosePassword(line);
    return withOperator(line, async (operator) => {
      const user = await operator.addUser({
        email,
        role,
        name: line.text('name') ?? '',
        workspace: line.text('workspace') ?? '',
        password: chosen?.password ?? null,
      });
      if (!user) throw new CommandRefused(`the user ${email} already exists.`);
      const { shown } = chosen ?? {};
      line.terminal.answer(
        shown === undefined ? { user } : { user, password: shown },
        [`Created ${describe(user)}.`, ...(shown === undefined ? [] : [`Password: ${shown}`])].join('\n'),
      );
      return EXIT.done;
    });
  },
};

const disable = switchCommand({
  words: 'user disable',
  summary: 'Disable a user and end every session',
  disabled: true,
  said: 'Disabled',
});
const enable = switchCommand({
  words: 'user enable',
  summary: 'Let a disabled user log in again',
  disabled: false,
  said: 'Enabled',
});

const remove: Command = {
  words: 'user delete',
  summary: 'Delete a user and end every session',
  description: [
    'The command erases name, address and password. The id is never used again, and the log keeps its entries. This cannot be undone, so the command asks first; without a terminal it requires --yes.',
  ],
  anywhere: true,
  operands: [USER_OPERAND],
  options: { yes: { about: 'Do not ask first.' }, ...LAST },
  examples: ['curfew user delete ada@example.com --yes'],
  run: (line) =>
    withOperator(line, async (operator) => {
      const user = await requireUser(operator, line.operand);
      await confirmDeletion(line, user);
      if (!(await operator.deleteUser(user.id, line.flag('last-administrator'))))
        throw new CommandRefused(`no such user: ${line.operand}.`);
      line.terminal.answer({ deleted: { id: user.id, email: user.email } }, `Deleted ${describe(user)}.`);
      return EXIT.done;
    }),
};

const password: Command = {
  words: 'user password',
  summary: 'Set a new password and end every session of the user',
  description: [PASSWORD_TEXT],
  anywhere: true,
  operands: [USER_OPERAND],
  options: { generate: GENERATE },
  examples: ['curfew user password ada@example.com', 'curfew user password 2 --generate'],
  async run(line) {
    const chosen = await choosePassword(line);
    return withOperator(line, async (operator) => {
      const user = await requireUser(operator, line.operand);
      if (!(await operator.setPassword(user.id, chosen.password)))
        throw new CommandRefused(`no such user: ${line.operand}.`);
      const { shown } = chosen;
      line.terminal.answer(
        shown === undefined ? { user } : { user, password: shown },
        [
          `Set the password of ${describe(user)}. Every session has ended.`,
          ...(shown === undefined ? [] : [`Password: ${shown}`]),
        ].join('\n'),
      );
      return EXIT.done;
    });
  },
};

const role: Command = {
  words: 'user role',
  summary: 'Change the role of a user and end every session',
  anywhere: true,
  operands: [USER_OPERAND, { name: 'ROLE', about: 'user or admin.' }],
  options: LAST,
  examples: ['curfew user role ada@example.com admin'],
  async run(line) {
    const to = readRole(line.operands[1] ?? '');
    const confirmsLast = line.flag('last-administrator');
    return change(
      line,
      (operator, id) => operator.changeUser(id, { role: to }, confirmsLast),
      `Role ${to} for`,
    );
  },
};

export const userCommands: Command[] = [list, add, disable, enable, remove, password, role];

function switchCommand(given: { words: string; summary: string; disabled: boolean; said: string }): Command {
  const { words, summary, disabled, said } = given;
  return {
    words,
    summary,
    anywhere: true,
    operands: [USER_OPERAND],
    ...(disabled ? { options: LAST } : {}),
    examples: [`curfew ${words} ada@example.com`],
    run: (line) => {
      const confirmsLast = disabled && line.flag('last-administrator');
      return change(line, (operator, id) => operator.changeUser(id, { disabled }, confirmsLast), said);
    },
  };
}

function change(
  line: CommandLine,
  make: (operator: Operator, id: number) => Promise<Account | null>,
  said: string,
): Promise<number> {
  return withOperator(line, async (operator) => {
    const { id } = await requireUser(operator, line.operand);
    const user = await make(operator, id);
    if (!user) throw new CommandRefused(`no such user: ${line.operand}.`);
    line.terminal.answer({ user }, `${said} ${describe(user)}.`);
    return EXIT.done;
  });
}

async function choosePassword(line: CommandLine): Promise<{ password: string; shown?: string }> {
  if (!line.flag('generate')) return { password: await readNewPassword(line.terminal.streams) };
  const made = generatePassword();
  return { password: made, shown: made };
}

async function confirmDeletion(line: CommandLine, user: Account): Promise<void> {
  if (line.flag('yes')) return;
  const { terminal } = line;
  if (!terminal.interactive)
    throw new CommandRefused(
      `nothing was changed: ${user.email} would be deleted for good. To continue, repeat with --yes.`,
    );
  const typed = await terminal.ask(
    `Delete ${describe(user)} for good? Type the e-mail address to continue: `,
  );
  if (typed !== user.email) throw new CommandRefused('not confirmed. Nothing was changed.');
}

function readRole(text: string): Role {
  if (text !== 'user' && text !== 'admin') throw new UsageError('a role must be user or admin.');
  return text;
}

const describe = (user: Account): string => plain(`user ${user.id}, ${user.email}`);

function userTable(users: Account[]): string {
  return table(
    ['ID', 'E-MAIL', 'NAME', 'ROLE', 'WORKSPACE', 'STATE'],
    users.map((user) => [
      String(user.id),
      user.email,
      user.name,
      user.role,
      user.workspace,
      user.disabled_at === null ? 'enabled' : `disabled since ${user.disabled_at}`,
    ]),
  );
}
