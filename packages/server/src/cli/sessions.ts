import type { UserSession } from '@curfew/protocol/wire/session';
import { type Command, EXIT, CommandRefused, UsageError } from './declare.ts';
import { endAndReport, HOW, previewed } from './end.ts';
import {
  EXTERNAL_OPTIONS,
  externalOf,
  requireClient,
  requireExternal,
  requireSid,
  requireUser,
} from './arguments.ts';
import { withOperator } from './reach.ts';
import { table } from './terminal.ts';

const list: Command = {
  words: 'sessions list',
  summary: 'List sessions, newest first',
  anywhere: true,
  options: {
    user: { value: 'USER', about: 'Only sessions of this user, by id or e-mail address.' },
    ...EXTERNAL_OPTIONS,
    client: { value: 'CLIENT', about: 'Only sessions of this application (client_id).', was: 'app' },
    ended: { about: 'Include ended sessions, and how they ended.' },
    limit: { value: 'N', about: 'List at most N, from 1 to 1000. Default: 100.' },
    before: { value: 'SESSION', about: 'Continue the list after this session, with older ones.' },
  },
  examples: ['curfew sessions list --user ada@example.com', 'curfew sessions list --ended --json'],
  async run(line) {
    const of = line.text('user');
    const external = await externalOf(line);
    if (of !== undefined && external) throw new UsageError('--user and --external-id exclude each other.');
    const client = line.text('client');
    const before = line.text('before');
    const limit = line.integer('limit', 1, 1000) ?? 100;
    const filter = {
      clientId: client === undefined ? null : await requireClient(client),
      before: before === undefined ? null : await requireSid(before),
      ended: line.flag('ended'),
    };
    return withOperator(line, async (operator) => {
      const userId = external
        ? (await requireExternal(operator, external)).id
        : of === undefined
          ? null
          : (await requireUser(operator, of)).id;
      const { sessions, next } = await operator.sessions({ ...filter, userId }, limit);
      line.terminal.answer({ sessions, next }, sessionTable(sessions, filter.ended));
      if (next !== null) line.terminal.note(`There are more: --before ${next}`);
      return EXIT.done;
    });
  },
};

const end: Command = {
  words: 'sessions end',
  summary: 'End sessions by their ids',
  description: [
    'The command returns when no process of the authority accepts a credential of these sessions any more. The exit code is 3 if no session was alive.',
  ],
  anywhere: true,
  operands: [{ name: 'SESSION', about: 'The id of a session, as `sessions list` shows it.', many: true }],
  options: HOW,
  examples: ['curfew sessions end 019a9f2c-5f6e-7c3a-9d52-8f2b7c1e4a60'],
  run: async (line) => {
    if (line.operands.length > 1000) throw new UsageError('specify at most 1000 sessions.');
    const sids = await Promise.all(line.operands.map(requireSid));
    return withOperator(line, async (operator) => {
      const target = { scope: 'sessions', sids } as const;
      if (await previewed(line, operator, target)) return EXIT.done;
      const result = await endAndReport(line, operator, target);
      if (result.ended === 0)
        throw new CommandRefused(sids.length === 1 ? 'the session is not alive.' : 'no session is alive.');
      return EXIT.done;
    });
  },
};

export const sessionCommands: Command[] = [list, end];

function sessionTable(sessions: UserSession[], ended: boolean): string {
  const minute = (instant: string): string => instant.slice(0, 16).replace('T', ' ');
  return table(
    [
      'SESSION',
      'USER',
      'E-MAIL',
      'CLIENT',
      'DEVICE',
      'FROM',
      'SINCE (UTC)',
      'SEEN (UTC)',
      ...(ended ? ['STATE'] : []),
    ],
    sessions.map((session) => [
      session.id,
      String(session.user_id),
      session.email,
      session.client_id,
      deviceOf(session),
      session.ip_address ?? '',
      minute(session.created_at),
      minute(session.last_seen_at),
      ...(ended ? [stateOf(session)] : []),
    ]),
  );
}

function deviceOf({ device }: UserSession): string {
  const facts = [device.browser, device.system].filter((fact) => fact !== null).join(', ');
  return [device.name, facts, device.id].find((text) => text !== '') ?? '';
}

function stateOf({ active, ended }: UserSession): string {
  if (active) return 'alive';
  return ended === null ? 'over' : `${ended.reason} by ${ended.by}, ${ended.at}`;
}
