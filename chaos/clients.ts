/** The clients: they log users in, refresh, check, and log out. A process of the chaos test; main.ts starts it. */
import { Random } from '../simulator/random.ts';
import type { ClientsSettings, FromClients, ToClients } from './cast/messages.ts';
import { checkAll, checkPressed, lastLook } from './load/check.ts';
import { logIn, logInByEach, openSession, refresh } from './load/log-in.ts';
import { Requests } from './load/requests.ts';
import { endTwice, logoutSender } from './load/send-logout.ts';
import { anyNode, pause, type World } from './load/world.ts';
import { Recorder } from './recorder.ts';

const settings = JSON.parse(process.argv[2] ?? '') as ClientsSettings;
const tell = (message: FromClients): void => void process.send?.(message);
const world: World = {
  settings,
  recorder: new Recorder(settings.file, 'clients'),
  requests: new Requests(),
  random: new Random(settings.seed),
  tell,
  users: [],
  people: [],
  sessions: [],
  pressed: new Map(),
  lastPress: 0,
  lastLogout: 0,
  resting: false,
};

const USERS = 24;
const PEOPLE = 3;
const PASSWORD = 'correct horse battery staple';
/** The average milliseconds between two acts of a kind by one worker, and the number of workers. */
const PACES = [
  { work: openSession, everyMs: 250, workers: 4 },
  { work: logIn, everyMs: 2500, workers: 1 },
  { work: refresh, everyMs: 300, workers: 1 },
  { work: logoutSender(), everyMs: 800, workers: 4 },
  { work: endTwice, everyMs: 700, workers: 2 },
] as const;

async function makeUser(email: string, password?: string): Promise<number> {
  const { status, text } = await world.requests.json(
    'POST',
    `${anyNode(world).url}/v1/admin/users`,
    { authorization: `Bearer ${settings.serviceKey}` },
    { email, ...(password === undefined ? {} : { password }) },
  );
  if (status !== 201) throw new Error(`no user: ${status} ${text}`);
  return (JSON.parse(text) as { user: { id: number } }).user.id;
}

async function makeUsers(): Promise<void> {
  for (let i = 0; i < USERS; i++) world.users.push(await makeUser(`user${i}@example.com`));
  for (let i = 0; i < PEOPLE; i++) {
    const email = `person${i}@example.com`;
    world.people.push({ id: await makeUser(email, PASSWORD), email, password: PASSWORD });
  }
}

async function atPace(work: (world: World) => Promise<void>, everyMs: number): Promise<void> {
  while (!world.resting) {
    await pause(everyMs * (0.5 + Math.random()));
    await work(world);
  }
}

let load: Promise<unknown> = Promise.resolve();

function begin(): void {
  const works = [logInByEach(world)];
  for (const { work, everyMs, workers } of PACES)
    for (let i = 0; i < workers; i++) works.push(atPace(work, everyMs));
  for (const node of settings.nodes) works.push(checkAll(world, node), checkPressed(world, node));
  load = Promise.all(works);
}

async function hear(message: ToClients): Promise<void> {
  switch (message.t) {
    case 'begin':
      return begin();
    case 'rest':
      world.resting = true;
      await load;
      return tell({ t: 'rested' });
    case 'last look':
      await lastLook(world);
      return tell({ t: 'looked' });
    case 'end':
      world.recorder.close();
      process.exit(0);
  }
}

process.on('message', (message) => void hear(message as ToClients));
// The parent process has ended.
process.on('disconnect', () => process.exit(1));
await makeUsers();
tell({ t: 'ready' });
