import type { AdminTarget } from '../actions/end-sessions.ts';
import { type Command, type CommandLine, EXIT, CommandRefused, UsageError } from './declare.ts';
import { endAndReport, HOW, previewed } from './end.ts';
import { requireClient, requireSid, requireTenant, requireUser } from './arguments.ts';
import type { Operator } from './operator.ts';
import { withOperator } from './reach.ts';
import { counted } from './terminal.ts';

const MOST_USERS = 10_000;

const logout: Command = {
  words: 'logout',
  summary: 'End all sessions of users, a device, an application, a login, a tenant, or everyone',
  description: [
    'Specify one of --user, --users, --client, --login, --tenant and --everyone; --user and --client together name the sessions of that user with that application. The command takes effect at once, however many sessions there are. It returns when no process of the authority accepts a credential of an ended session any more.',
    '--tenant and --everyone count the sessions first. On a terminal it asks for the number. Without a terminal it ends nothing (exit code 3) unless you confirm with --confirm or --yes. The number in --confirm may differ from the count by a twentieth.',
  ],
  anywhere: true,
  options: {
    user: { value: 'USER', about: 'End every session of this user, by id or e-mail address.' },
    device: { value: 'DEVICE', about: 'With --user: end only the sessions on this device (device_id).' },
    users: {
      value: 'LIST',
      about: 'End every session of these users, separated by commas; - reads them from standard input.',
    },
    client: { value: 'CLIENT', about: 'End every session with this application (client_id).', was: 'app' },
    login: {
      value: 'SESSION',
      about: 'End this session and every session that was begun through it.',
    },
    tenant: { value: 'TENANT', about: 'End every session of this tenant.' },
    everyone: { about: 'End every session of every user.' },
    confirm: { value: 'N', about: 'With --tenant or --everyone: continue if about N sessions would end.' },
    yes: { about: 'With --tenant or --everyone: continue without asking.' },
    ...HOW,
  },
  examples: [
    'curfew logout --user ada@example.com',
    'curfew logout --user 2 --device laptop-1',
    'curfew logout --client shop --dry-run',
    'curfew logout --user 2 --client shop',
    'curfew logout --tenant default',
    'curfew logout --client shop --note "stolen key"',
    'curfew logout --everyone',
  ],
  async run(line) {
    const given = ['user', 'users', 'client', 'login', 'tenant', 'everyone']
      .filter((name) => line.text(name) !== undefined || line.flag(name))
      .join();
    if (given !== 'user,client' && (given === '' || given.includes(',')))
      throw new UsageError('specify one of --user, --users, --client, --login, --tenant and --everyone.');
    if (line.text('device') !== undefined && given !== 'user')
      throw new UsageError('--device requires --user.');
    const confirm = line.integer('confirm', 0);
    if (!['tenant', 'everyone'].includes(given) && (confirm !== undefined || line.flag('yes')))
      throw new UsageError('--confirm and --yes require --tenant or --everyone.');
    const listed = await readList(line);
    return withOperator(line, async (operator) => {
      const target = await targetOf(line, operator, listed);
      if (await previewed(line, operator, target)) return EXIT.done;
      const isLarge = target.scope === 'tenant' || target.scope === 'everyone';
      const number = isLarge ? await confirmedNumber(line, operator, target, confirm) : null;
      await endAndReport(line, operator, target, number);
      return EXIT.done;
    });
  },
};

export const logoutCommands: Command[] = [logout];

async function targetOf(line: CommandLine, operator: Operator, listed: string[]): Promise<AdminTarget> {
  const [user, client, device] = [line.text('user'), line.text('client'), line.text('device')];
  const [login, tenant] = [line.text('login'), line.text('tenant')];
  if (line.flag('everyone')) return { scope: 'everyone' };
  if (tenant !== undefined) return { scope: 'tenant', tenant: await requireTenant(tenant) };
  if (login !== undefined) return { scope: 'login', login: (await requireSid(login)).toLowerCase() };
  const clientId = client === undefined ? null : await requireClient(client);
  if (clientId !== null && user === undefined) return { scope: 'client', clientId };
  if (user !== undefined) {
    const { id } = await requireUser(operator, user);
    if (clientId !== null) return { scope: 'grant', userId: id, clientId };
    if (device === undefined) return { scope: 'user', userId: id };
    if (device === '' || device.length > 128) throw new UsageError('--device must be the id of a device.');
    return { scope: 'device', userId: id, deviceId: device };
  }
  const ids = new Set<number>();
  // All users are looked up before any is logged out: a typing error must not leave half of it done.
  for (const one of listed) ids.add((await requireUser(operator, one)).id);
  return { scope: 'users', userIds: [...ids] };
}

async function readList(line: CommandLine): Promise<string[]> {
  const given = line.text('users');
  if (given === undefined) return [];
  const text = given === '-' ? await readInput(line.terminal.streams.stdin) : given;
  const users = text.split(/[\s,]+/).filter((item) => item !== '');
  if (users.length === 0) throw new UsageError('--users is empty.');
  if (users.length > MOST_USERS) throw new UsageError(`--users takes at most ${MOST_USERS} users.`);
  return users;
}

async function readInput(input: AsyncIterable<unknown>): Promise<string> {
  let text = '';
  for await (const chunk of input) text += String(chunk);
  return text;
}

/** The confirmed number, or null to be told it. */
async function confirmedNumber(
  line: CommandLine,
  operator: Operator,
  target: AdminTarget,
  given: number | undefined,
): Promise<number | null> {
  if (given !== undefined) return given;
  const { terminal } = line;
  const yes = line.flag('yes');
  if (!yes && !terminal.interactive) return null;
  const counting = await operator.end(target, { confirm: null, wait: 'replicas' });
  if (counting.outcome === 'ended') throw new Error('sessions were ended without a confirmation');
  if (yes) return counting.count;
  const typed = await terminal.ask(
    `This ends ${counted(counting.count, 'session')}, of ${target.scope === 'tenant' ? `tenant ${target.tenant}` : 'everyone'}. Type the number to continue: `,
  );
  if (typed !== String(counting.count)) throw new CommandRefused('not confirmed. Nothing was ended.');
  return counting.count;
}
