import { now } from '../recorder.ts';
import type { Reply } from './requests.ts';
import { type Kind, type Session, sidOf } from './session.ts';
import { anyNode, pause, type World } from './world.ts';

const AGAIN_MS = 100;
const DEVICES = ['laptop', 'phone', 'tablet'];
/** The second is what logouts of a whole application are sent for: few sessions are opened for it. */
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

const API_FAMILIES = ['v1', '001', '002', '003', '004'] as const;

/** Logs a person in by each of the API families: some kinds of credentials come by one of them alone. */
export async function logInByEach(world: World): Promise<void> {
  for (const family of API_FAMILIES)
    while (!world.resting && !(await logInBy(world, family))) await pause(AGAIN_MS);
}

/** Logs a person in, with the password, through one of the API families. */
export async function logIn(world: World): Promise<void> {
  await logInBy(world, world.random.pick(API_FAMILIES));
}

/** @returns whether the person is logged in */
async function logInBy(world: World, family: (typeof API_FAMILIES)[number]): Promise<boolean> {
  const { id, email, password } = world.random.pick(world.people);
  const { url } = anyNode(world);
  const post = (path: string, body: object): Promise<Reply> =>
    world.requests.json('POST', url + path, { origin: world.settings.issuer }, body);
  const sent = now();
  switch (family) {
    case 'v1': {
      const device = world.random.pick(DEVICES);
      const reply = await post('/v1/login', { email, password, device: { id: device } });
      if (reply.status !== 200) return false;
      const json = JSON.parse(reply.text) as Issued;
      add(world, sent, {
        user: id,
        client: 'default',
        device,
        via: 'v1',
        sid: json.session.id,
        kind: 'jwt',
        text: json.access_token ?? '',
        refresh: json.refresh_token,
      });
      return true;
    }
    case '001': {
      const reply = await post('/auth/login', { email, password });
      if (reply.status !== 200) return false;
      const { data } = JSON.parse(reply.text) as { data: { access_token: string; refresh_token: string } };
      add(world, sent, {
        user: id,
        client: 'envelope',
        device: null,
        via: '001',
        sid: sidOf(data.access_token),
        kind: 'jwt',
        text: data.access_token,
        refresh: data.refresh_token,
      });
      return true;
    }
    case '002': {
      const reply = await post('/api/auth/login', { username: email, password });
      if (reply.status !== 200) return false;
      const { data } = JSON.parse(reply.text) as { data: { sessionToken: string } };
      add(world, sent, {
        user: id,
        client: 'session-id',
        device: null,
        via: '002',
        sid: null,
        kind: 'session',
        text: data.sessionToken,
      });
      return true;
    }
    case '003': {
      const reply = await post('/api/v1/auth/login', { email, password });
      if (reply.status !== 200) return false;
      const json = JSON.parse(reply.text) as { access_token: string };
      add(world, sent, {
        user: id,
        client: 'token',
        device: null,
        via: '003',
        sid: null,
        kind: 'access',
        text: json.access_token,
      });
      return true;
    }
    case '004': {
      const reply = await post('/auth/login', { email, password, transport: 'cookie' });
      if (reply.status !== 200) return false;
      const { data } = JSON.parse(reply.text) as { data: { csrf_token: string } };
      const line = reply.headers['set-cookie']?.find((one) => one.startsWith('curfew_session='));
      add(world, sent, {
        user: id,
        client: 'cookie',
        device: null,
        via: '004',
        sid: null,
        kind: 'cookie',
        text: line?.split(/[=;]/)[1] ?? '',
        csrf: data.csrf_token,
      });
      return true;
    }
  }
}

/** Refreshes a session. The token before stays a credential until it runs out, and is checked on. */
export async function refresh(world: World): Promise<void> {
  const { random } = world;
  const having = world.sessions.filter((session) => session.refresh !== null);
  if (having.length === 0) return;
  // Mostly ones that live; of the others each refresh has to be refused.
  const alive = having.filter((session) => !session.over);
  const session = random.pick(random.chance(0.7) && alive.length > 0 ? alive : having);
  const token = session.refresh;
  // Nobody else uses it meanwhile, nor afterwards when its answer is lost: a second use ends the session.
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
    // Refused without being spent: the same token may be tried again later, and must be refused again.
    session.refresh = token;
  }
}
