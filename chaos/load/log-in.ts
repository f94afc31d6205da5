import { now } from '../recorder.ts';
import type { Reply } from './requests.ts';
import { type Kind, type Session, sidOf } from './session.ts';
import { anyNode, pause, type World } from './world.ts';

const AGAIN_MS = 100;
const DEVICES = ['laptop', 'phone', 'tablet'];
/** The clients send logouts of a whole application for the second one, so they open few sessions for it. */
const CLIENTS = ['default', 'kiosk'] as const;

/** Opens a session for a user by the service key. */
export async function openSession(world: World): Promise<void> {
  const { random } = world;
  const user = random.pick(world.users);
  const transport = random.pick(['bearer', 'bearer', 'opaque', 'cookie']);
  const client = random.chance(0.15) ? CLIENTS[1] : CLIENTS[0];
  const device = random.pick(DEVICES);
  const node = anyNode(world);
  const sent = now();
  const reply = await world.requests.json(
    'POST',
    `${node.url}/v1/admin/sessions`,
    { authorization: `Bearer ${world.settings.serviceKey}` },
    { user_id: user, transport, client_id: client, device: { id: device } },
  );
  if (reply.status !== 200) return;
  const json = JSON.parse(reply.text) as Issued;
  const facts = { user, client, device, via: `service, ${transport}`, sid: json.session.id };
  if (json.cookie)
    add(world, sent, { ...facts, kind: 'cookie', text: json.cookie.value, csrf: json.csrf_token });
  else if (json.session_token) add(world, sent, { ...facts, kind: 'session', text: json.session_token });
  else if (json.access_token)
    add(world, sent, { ...facts, kind: 'jwt', text: json.access_token, refresh: json.refresh_token });
}

interface Issued {
  session: { id: string };
  access_token?: string;
  refresh_token?: string;
  session_token?: string;
  csrf_token?: string;
  cookie?: { value: string };
}

interface Opened {
  user: number;
  client: string;
  device: string | null;
  via: string;
  sid: string | null;
  kind: Kind;
  text: string;
  csrf?: string | undefined;
  refresh?: string | undefined;
}

function add(world: World, sent: number, opened: Opened): void {
  const { user, client, device, via, sid, kind, text, csrf, refresh } = opened;
  const s = world.sessions.length + 1;
  world.recorder.write({ t: 'login', s, sid, user, client, device, via, sent, got: now() });
  const session: Session = {
    s,
    sid,
    user,
    client,
    device,
    via,
    kind,
    text,
    over: false,
    csrf: csrf ?? null,
    refresh: refresh ?? null,
  };
  world.sessions.push(session);
  world.tell({ t: 'credentials', list: [{ s, sid, kind, text }] });
}

/** The content of a login's answer. */
type Given = Pick<Opened, 'text' | 'csrf' | 'refresh'> & { sid?: string | null };

interface Family {
  path: string;
  client: string;
  kind: Kind;
  body: (email: string, password: string, device: string) => object;
  read: (reply: Reply) => Given;
  /** Its login names the device. */
  namesDevice?: true;
}

const FAMILIES: Record<string, Family> = {
  v1: {
    path: '/v1/login',
    client: 'default',
    kind: 'jwt',
    body: (email, password, id) => ({ email, password, device: { id } }),
    read: ({ text: json }) => {
      const { session, access_token: text = '', refresh_token: refresh } = JSON.parse(json) as Issued;
      return { sid: session.id, text, refresh };
    },
    namesDevice: true,
  },
  '001': {
    path: '/auth/login',
    client: 'envelope',
    kind: 'jwt',
    body: (email, password) => ({ email, password }),
    read: ({ text: json }) => {
      const { data } = JSON.parse(json) as { data: { access_token: string; refresh_token: string } };
      return { sid: sidOf(data.access_token), text: data.access_token, refresh: data.refresh_token };
    },
  },
  '002': {
    path: '/api/auth/login',
    client: 'session-id',
    kind: 'session',
    body: (username, password) => ({ username, password }),
    read: ({ text }) => ({
      text: (JSON.parse(text) as { data: { sessionToken: string } }).data.sessionToken,
    }),
  },
  '003': {
    path: '/api/v1/auth/login',
    client: 'token',
    kind: 'access',
    body: (email, password) => ({ email, password }),
    read: ({ text }) => ({ text: (JSON.parse(text) as { access_token: string }).access_token }),
  },
  '004': {
    path: '/auth/login',
    client: 'cookie',
    kind: 'cookie',
    body: (email, password) => ({ email, password, transport: 'cookie' }),
    read: ({ text: json, headers }) => {
      const line = headers['set-cookie']?.find((one) => one.startsWith('curfew_session='));
      const { data } = JSON.parse(json) as { data: { csrf_token: string } };
      return { text: line?.split(/[=;]/)[1] ?? '', csrf: data.csrf_token };
    },
  },
};

/** Logs a person in through each API family: some kinds of credentials come from one family alone. */
export async function logInByEach(world: World): Promise<void> {
  for (const family of Object.keys(FAMILIES))
    while (!world.resting && !(await logInBy(world, family))) await pause(AGAIN_MS);
}

/** Logs a person in, with the password, through one of the API families. */
export async function logIn(world: World): Promise<void> {
  await logInBy(world, world.random.pick(Object.keys(FAMILIES)));
}

/** @returns whether the person is logged in */
async function logInBy(world: World, via: string): Promise<boolean> {
  const family = FAMILIES[via];
  if (!family) throw new Error(`there is no family ${via}`);
  const { path, client, kind, body, read, namesDevice } = family;
  const { id: user, email, password } = world.random.pick(world.people);
  const { url } = anyNode(world);
  const sent = now();
  const device = namesDevice ? world.random.pick(DEVICES) : null;
  const asked = body(email, password, device ?? '');
  const reply = await world.requests.json('POST', url + path, { origin: world.settings.issuer }, asked);
  if (reply.status !== 200) return false;
  add(world, sent, { user, client, device, via, kind, sid: null, ...read(reply) });
  return true;
}

/** Refreshes a session. The access token from before stays valid until it expires, and the checks continue with it. */
export async function refresh(world: World): Promise<void> {
  const { random } = world;
  const having = world.sessions.filter((session) => session.refresh !== null);
  if (having.length === 0) return;
  // Mostly live sessions. Curfew must refuse each refresh of the others.
  const alive = having.filter((session) => !session.over);
  const session = random.pick(random.chance(0.7) && alive.length > 0 ? alive : having);
  const token = session.refresh;
  // No other request uses the token meanwhile, or afterwards if the answer is lost, because a second use ends the session.
  session.refresh = null;
  const node = anyNode(world);
  const sent = now();
  const reply = await world.requests.json('POST', `${node.url}/v1/refresh`, {}, { refresh_token: token });
  const { s, sid } = session;
  world.recorder.write({ t: 'refresh', s, node: node.name, sent, got: now(), status: reply.status });
  if (reply.status === 200) {
    const json = JSON.parse(reply.text) as Issued;
    session.text = json.access_token ?? '';
    session.refresh = json.refresh_token ?? null;
    world.tell({ t: 'credentials', list: [{ s, sid, kind: 'jwt', text: session.text }] });
  } else if (reply.status === 401) {
    // The refusal did not spend the token, so a later refresh may use it again, and Curfew must refuse it again.
    session.refresh = token;
  }
}
