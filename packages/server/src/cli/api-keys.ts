import type { ApiKeyView } from '@curfew/protocol/wire/api-key';
import { plainName } from '@curfew/protocol/reading/plain-name';
import { KEY_SCOPES, type KeyScope } from '../domain/api-key.ts';
import { type Command, type CommandLine, CommandRefused, EXIT, type Operand, UsageError } from './declare.ts';
import { requireClient, requireNote } from './arguments.ts';
import { LAST_ADMIN_KEY, type Operator } from './operator.ts';
import { withOperator } from './reach.ts';
import { counted, plain, table } from './terminal.ts';

const DAY_MS = 86_400_000;
const PAGE = 1000;
const SCOPES_TEXT =
  'verify: follow the feed, introspect, read metrics. sessions:open: open sessions for users who logged in elsewhere. sessions:end: list and end sessions. users: read, create and change users who are no administrators; with --client only the users of the application. admin: everything.';
const ONCE = 'Curfew stores only the hash of the key, so it is printed once.';
const ID: Operand = { name: 'ID', about: 'The id of the key: see curfew api-keys list.' };

const create: Command = {
  words: 'api-keys create',
  summary: 'Create an API key for a back end or an operator',
  description: [
    SCOPES_TEXT,
    `With --client the key reaches the sessions of that application only, and cannot have the scope admin. ${ONCE}`,
  ],
  anywhere: true,
  operands: [{ name: 'NAME', about: 'Who holds the key, for lists and the log.' }],
  options: {
    scopes: { value: 'SCOPES', about: `One or more of ${KEY_SCOPES.join(', ')}, separated by commas.` },
    client: { value: 'CLIENT', about: 'The application (client_id) whose sessions the key reaches.' },
    days: { value: 'N', about: 'The key expires after N days. Default: never.' },
  },
  examples: [
    'curfew api-keys create "Shop back end" --client shop --scopes verify,sessions:open',
    'curfew api-keys create Prometheus --scopes verify --days 365',
  ],
  async run(line) {
    const name = plainName(line.operand);
    const scopes = readScopes(line.text('scopes'));
    const client = line.text('client');
    const clientId = client === undefined ? null : await requireClient(client);
    const expiresAt = inDays(line.integer('days', 1, 36_500));
    return withOperator(line, (operator) => make(line, operator, { name, clientId, scopes, expiresAt }));
  },
};

const list: Command = {
  words: 'api-keys list',
  summary: 'List the API keys',
  anywhere: true,
  options: {
    revoked: { about: 'Also keys that are revoked or expired.' },
    limit: { value: 'N', about: 'List at most N, from 1 to 1000. Default: 100.' },
    before: { value: 'ID', about: 'Continue the list after the key with this id.' },
  },
  examples: ['curfew api-keys list', 'curfew api-keys list --revoked --json'],
  async run(line) {
    const filter = { revoked: line.flag('revoked'), before: line.integer('before', 1) ?? null };
    const limit = line.integer('limit', 1, 1000) ?? 100;
    return withOperator(line, async (operator) => {
      const { keys, next } = await operator.apiKeys(filter, limit);
      line.terminal.answer({ keys, next }, keyTable(keys));
      if (next !== null) line.terminal.note(`There are more: --before ${next}`);
      return EXIT.done;
    });
  },
};

const revoke: Command = {
  words: 'api-keys revoke',
  summary: 'Revoke an API key',
  description: [
    'When the command returns, no node accepts the key, and the feeds of its verifiers are closed. A verifier trusts its memory for one more lease at most.',
  ],
  anywhere: true,
  operands: [ID],
  options: {
    'last-admin-key': { about: 'Continue even if no key with the scope admin is left.' },
    note: { value: 'TEXT', about: 'A reason for the log.' },
  },
  examples: ['curfew api-keys revoke 7 --note "found in a repository"'],
  async run(line) {
    const id = readId(line.operand);
    const note = await requireNote(line.text('note'));
    return withOperator(line, async (operator) => {
      const revoked = await operator.revokeApiKey(id, line.flag('last-admin-key'), note);
      if (!revoked) throw new CommandRefused(`no such key: ${id}.`);
      const { acknowledged, waited_out: waitedOut, ms } = revoked;
      line.terminal.answer(
        revoked,
        `Revoked ${describe(revoked.key)}: true everywhere after ${ms} ms (${acknowledged} acknowledged, ${waitedOut} waited out).`,
      );
      return EXIT.done;
    });
  },
};

const revokeAll: Command = {
  words: 'api-keys revoke-all',
  summary: 'Revoke every API key that was created before an instant',
  description: [
    'Use it after the database went back to an older state: API keys that were revoked in the lost time are live again. When the command returns, no node accepts the keys. If it fails, repeat it.',
    'The command uses an API key itself when it calls a server by its address. Let that key be a newer one.',
  ],
  anywhere: true,
  options: {
    'created-before': { value: 'TIME', about: 'A date or an instant: 2026-07-01, 2026-07-01T12:00:00Z.' },
    'last-admin-key': { about: 'Continue even if no key with the scope admin is left.' },
    note: { value: 'TEXT', about: 'A reason for the log.' },
  },
  examples: ['curfew api-keys revoke-all --created-before 2026-07-01T12:00:00Z --note "restored a backup"'],
  async run(line) {
    const before = await readTime(line.text('created-before'));
    const note = await requireNote(line.text('note'));
    const confirmed = line.flag('last-admin-key');
    return withOperator(line, async (operator) => {
      const live = await liveKeys(operator);
      const old = live.filter((key) => Date.parse(key.created_at) < before.getTime());
      const [admins, others] = [old.filter(isAdmin), old.filter((key) => !isAdmin(key))];
      if (!confirmed && admins.length > 0 && admins.length === live.filter(isAdmin).length)
        throw new CommandRefused(LAST_ADMIN_KEY);
      const keys: ApiKeyView[] = [];
      // The key that calls a server is among the last.
      for (const { id } of [...others, ...admins]) {
        const revoked = await operator.revokeApiKey(id, confirmed, note);
        if (revoked) keys.push(revoked.key);
      }
      line.terminal.answer(
        { keys },
        [`Revoked ${counted(keys.length, 'key')}: true everywhere.`, ...keys.map(describe)].join('\n'),
      );
      return EXIT.done;
    });
  },
};

const rotate: Command = {
  words: 'api-keys rotate',
  summary: 'Create a second key like an API key, to replace it without a gap',
  description: [
    'The new key has the name, application, scopes and lifetime of the old one, which goes on working. Give the back end the new key, then revoke the old one.',
    ONCE,
  ],
  anywhere: true,
  operands: [ID],
  examples: ['curfew api-keys rotate 7'],
  async run(line) {
    const id = readId(line.operand);
    return withOperator(line, async (operator) => {
      const { keys } = await operator.apiKeys({ revoked: false, before: id + 1 }, 1);
      const old = keys.find((key) => key.id === id);
      if (!old) throw new CommandRefused(`no such key, or it is revoked or expired: ${id}.`);
      const done = await make(line, operator, {
        name: old.name,
        clientId: old.client_id,
        scopes: readScopes(old.scopes.join(',')),
        expiresAt: old.expires_at === null ? null : inDays(daysOf(old.created_at, old.expires_at)),
      });
      line.terminal.note(`Give the back end this key. When it runs with it: curfew api-keys revoke ${id}`);
      return done;
    });
  },
};

export const apiKeyCommands: Command[] = [create, list, revoke, revokeAll, rotate];

async function make(
  line: CommandLine,
  operator: Operator,
  wanted: Parameters<Operator['createApiKey']>[0],
): Promise<number> {
  const made = await operator.createApiKey(wanted);
  line.terminal.answer(made, `Created ${describe(made.key)}.\nKey: ${made.secret}`);
  return EXIT.done;
}

function readScopes(text: string | undefined): KeyScope[] {
  const names = (text ?? '').split(',').map((name) => name.trim());
  const scopes = KEY_SCOPES.filter((scope) => names.includes(scope));
  if (scopes.length < new Set(names).size)
    throw new UsageError(`--scopes takes ${KEY_SCOPES.join(', ')}, separated by commas.`);
  return scopes;
}

function readId(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new UsageError(`${text} is not the id of a key.`);
  return Number(text);
}

/** @throws UsageError when it is neither a date nor an instant */
async function readTime(text: string | undefined): Promise<Date> {
  const { z } = await import('zod');
  const read = z.iso
    .date()
    .or(z.iso.datetime({ offset: true }))
    .safeParse(text);
  if (!read.success)
    throw new UsageError('--created-before takes a date or an instant: 2026-07-01, 2026-07-01T12:00:00Z.');
  return new Date(read.data);
}

async function liveKeys(operator: Operator): Promise<ApiKeyView[]> {
  const live: ApiKeyView[] = [];
  for (let before: number | null = null; ; ) {
    const { keys, next } = await operator.apiKeys({ revoked: false, before }, PAGE);
    live.push(...keys);
    if (next === null) return live;
    before = next;
  }
}

const isAdmin = ({ scopes }: ApiKeyView): boolean => scopes.includes('admin');

const inDays = (days: number | undefined): Date | null =>
  days === undefined ? null : new Date(Date.now() + days * DAY_MS);

const daysOf = (from: string, to: string): number =>
  Math.max(1, Math.round((Date.parse(to) - Date.parse(from)) / DAY_MS));

const describe = ({ id, name }: ApiKeyView): string => `key ${id} (${plain(name)})`;

function keyTable(keys: readonly ApiKeyView[]): string {
  const rows = keys.map((key) => [
    String(key.id),
    plain(key.name),
    key.client_id ?? '(operator)',
    key.scopes.join(' '),
    key.last_used_at ?? 'never',
    key.revoked_at === null ? (key.expires_at ?? 'never') : `revoked ${key.revoked_at}`,
  ]);
  return table(['KEY', 'NAME', 'APPLICATION', 'SCOPES', 'LAST USED', 'EXPIRES'], rows);
}
