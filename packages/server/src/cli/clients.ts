import type { ClientView } from '@curfew/protocol/wire/client';
import {
  type Command,
  type CommandLine,
  CommandRefused,
  EXIT,
  type Operand,
  type Option,
  UsageError,
} from './declare.ts';
import { requireClient, requireNote } from './arguments.ts';
import type { ClientAct, Operator } from './operator.ts';
import { withOperator } from './reach.ts';
import { counted, plain, table } from './terminal.ts';

const CLIENT: Operand = { name: 'CLIENT', about: 'An application, by its client_id.' };
const DEFAULT = 'default';
const NUMBERS = [
  'idle-seconds',
  'absolute-seconds',
  'access-token-seconds',
  'opaque-access-seconds',
] as const;

const TERMS: Record<string, Option> = {
  name: { value: 'NAME', about: 'The name for people.' },
  audience: {
    value: 'URI',
    about: `The audience of its credentials. ${DEFAULT}: the audience of Curfew, as for the options below.`,
  },
  algorithm: { value: 'ALG', about: 'The algorithm that signs its access tokens: EdDSA, ES256 or RS256.' },
  'idle-seconds': { value: 'N', about: 'Its sessions expire after so long without activity.' },
  'absolute-seconds': { value: 'N', about: 'Its sessions expire so long after the login.' },
  'access-token-seconds': { value: 'N', about: 'The lifetime of its access JWTs.' },
  'opaque-access-seconds': { value: 'N', about: 'The lifetime of its opaque access tokens.' },
  'grant-types': {
    value: 'LIST',
    about: 'How sessions may be opened: password, service, or both with a comma.',
  },
  'external-issuers': {
    value: 'LIST',
    about: 'The systems whose users its API keys may name and read, with commas. An empty text: none.',
  },
};
const NOTE: Record<string, Option> = {
  note: { value: 'TEXT', about: 'A reason for the log, at most 500 characters.' },
};
const CONFIRM: Record<string, Option> = {
  confirm: { value: 'N', about: 'Continue if about N sessions would end.' },
  yes: { about: 'Continue without asking.' },
  ...NOTE,
};
const ENDS =
  'If sessions would end, the command counts them first. On a terminal it asks for the number. Without a terminal it changes nothing (exit code 3) unless you confirm with --confirm or --yes. The number in --confirm may differ from the count by a twentieth.';

const list: Command = {
  words: 'clients list',
  summary: 'List the applications',
  anywhere: true,
  examples: ['curfew clients list', 'curfew clients list --json'],
  run: (line) =>
    withOperator(line, async (operator) => {
      const clients = await operator.clients();
      const rows = clients.map((one) => [
        one.client_id,
        one.name,
        one.audience ?? DEFAULT,
        one.grant_types.join(', '),
        stateOf(one),
      ]);
      line.terminal.answer({ clients }, table(['CLIENT', 'NAME', 'AUDIENCE', 'GRANT TYPES', 'STATE'], rows));
      return EXIT.done;
    }),
};

const show: Command = {
  words: 'clients show',
  summary: 'Show an application',
  anywhere: true,
  operands: [CLIENT],
  examples: ['curfew clients show shop'],
  async run(line) {
    const id = await requireClient(line.operand);
    return withOperator(line, async (operator) => {
      const client = (await operator.clients()).find((one) => one.client_id === id);
      if (!client) throw new CommandRefused(`no such application: ${id}.`);
      line.terminal.answer({ client }, described(client));
      return EXIT.done;
    });
  },
};

const create: Command = {
  words: 'clients create',
  summary: 'Create an application',
  description: ['The command returns when every process of the authority knows the application.'],
  anywhere: true,
  operands: [
    { name: 'CLIENT', about: 'The client_id. It is never used again after the application is deleted.' },
  ],
  options: { ...TERMS, ...NOTE },
  examples: ['curfew clients create shop --name "The shop" --idle-seconds 1800'],
  async run(line) {
    const act: ClientAct = {
      does: 'create',
      clientId: await requireClient(line.operand),
      change: termsOf(line),
    };
    return withOperator(line, (operator) => perform(line, operator, act, 'Created'));
  },
};

const update: Command = {
  words: 'clients update',
  summary: 'Change, disable or enable an application',
  description: [
    'Lifetimes apply to sessions and tokens that begin afterwards. Disabling the application ends its sessions and refuses new ones.',
    ENDS,
  ],
  anywhere: true,
  operands: [CLIENT],
  options: {
    ...TERMS,
    disable: { about: 'End its sessions, and refuse new ones.' },
    enable: { about: 'Allow sessions again.' },
    ...CONFIRM,
  },
  examples: ['curfew clients update shop --access-token-seconds 120', 'curfew clients update shop --disable'],
  async run(line) {
    if (line.flag('disable') && line.flag('enable'))
      throw new UsageError('--disable and --enable exclude each other.');
    const change = {
      ...termsOf(line),
      ...(line.flag('disable') ? { disabled: true } : {}),
      ...(line.flag('enable') ? { disabled: false } : {}),
    };
    if (Object.keys(change).length === 0) throw new UsageError('specify at least one option to change.');
    const act: ClientAct = { does: 'update', clientId: await requireClient(line.operand), change };
    return withOperator(line, (operator) => perform(line, operator, act, 'Changed'));
  },
};

const remove: Command = {
  words: 'clients delete',
  summary: 'Delete an application and end its sessions',
  description: ['Its API keys are revoked, and its client_id is never used again.', ENDS],
  anywhere: true,
  operands: [CLIENT],
  options: CONFIRM,
  examples: ['curfew clients delete shop --yes'],
  async run(line) {
    const act: ClientAct = { does: 'delete', clientId: await requireClient(line.operand), change: {} };
    return withOperator(line, (operator) => perform(line, operator, act, 'Deleted'));
  },
};

export const clientCommands: Command[] = [list, show, create, update, remove];

/** After a change of the audience. */
const MOVED =
  '\nVerifiers that learn the audience from their API key have it. Change the audience of those that name it themselves: they refuse the new tokens, and accept earlier ones until they expire.';

/** Makes a change, and asks for the number of sessions that it ends. */
async function perform(line: CommandLine, operator: Operator, act: ClientAct, said: string): Promise<number> {
  const { terminal } = line;
  const note = await requireNote(line.text('note'));
  const confirm = line.integer('confirm', 0) ?? null;
  let made = await operator.changeClient(act, { confirm, note });
  if (made.outcome === 'confirmation_required' && confirm === null) {
    const { count } = made;
    const confirmed =
      line.flag('yes') ||
      (terminal.interactive &&
        (await terminal.ask(`This ends ${counted(count, 'session')}. Type the number to continue: `)) ===
          String(count));
    if (confirmed) made = await operator.changeClient(act, { confirm: count, note });
  }
  if (made.outcome === 'confirmation_required') {
    terminal.answer(made, `${counted(made.count, 'session')} would end.`);
    throw new CommandRefused(
      `nothing was changed. To continue, repeat with --confirm ${made.count}, or with --yes.`,
    );
  }
  const { client, ended } = made.result;
  const ending = ended === 0 ? '' : ` Ended ${counted(ended, 'session')}.`;
  const moved = 'audience' in act.change && act.does === 'update' ? MOVED : '';
  terminal.answer(made.result, `${said} ${plain(client.client_id)}.${ending}${moved}`);
  return EXIT.done;
}

/** The terms that the options name. @throws UsageError */
function termsOf(line: CommandLine): ClientAct['change'] {
  const change: ClientAct['change'] = {};
  for (const name of ['name', 'algorithm'] as const) {
    const text = line.text(name);
    if (text !== undefined) change[name] = text;
  }
  const audience = line.text('audience');
  if (audience !== undefined) change['audience'] = audience === DEFAULT ? null : audience;
  for (const name of NUMBERS) {
    if (line.text(name) === undefined) continue;
    change[name.replaceAll('-', '_')] = line.text(name) === DEFAULT ? null : line.integer(name, 1);
  }
  const types = line.text('grant-types');
  if (types !== undefined) change['grant_types'] = types.split(',').map((type) => type.trim());
  const issuers = line.text('external-issuers');
  if (issuers !== undefined)
    change['external_issuers'] = issuers === '' ? [] : issuers.split(',').map((issuer) => issuer.trim());
  return change;
}

const stateOf = ({ disabled_at }: ClientView): string =>
  disabled_at === null ? 'enabled' : `disabled since ${disabled_at}`;

function described(client: ClientView): string {
  const seconds = (value: number | null): string => (value === null ? DEFAULT : `${value} s`);
  return table(
    ['APPLICATION', plain(client.client_id)],
    [
      ['Name', client.name],
      ['Audience', client.audience ?? DEFAULT],
      ['Algorithm', client.algorithm],
      ['Idle lifetime', seconds(client.idle_seconds)],
      ['Absolute lifetime', seconds(client.absolute_seconds)],
      ['Access JWTs', seconds(client.access_token_seconds)],
      ['Opaque access tokens', seconds(client.opaque_access_seconds)],
      ['Grant types', client.grant_types.join(', ')],
      ['External issuers', client.external_issuers.join(', ')],
      ['Created', client.created_at],
      ['State', stateOf(client)],
    ],
  );
}
