import { now } from '../recorder.ts';
import { type Logout, makeLogout } from './logouts.ts';
import type { Reply } from './requests.ts';
import { anyNode, pause, type World } from './world.ts';

/** So many sessions of a logout are checked all the time while it is under way. */
const PRESSED = 2;
/** Until the back ends know whom to press. */
const PRESS_FIRST_MS = 25;
const PRESS_ON_MS = 150;
/** How often the same logout is sent to a second node at the same time. */
const TWICE = 0.08;

/** Logs somebody out, while the sessions that it ends are checked everywhere all the time. */
export async function sendLogout(world: World): Promise<void> {
  const logout = makeLogout(world);
  if (!logout) return;
  const { random, tell } = world;
  for (const session of logout.ends) session.over = true;
  const id = ++world.lastLogout;
  const list = Array.from({ length: PRESSED }, () => logout.ends).flatMap((ends) =>
    ends.length === 0 ? [] : [random.pick(ends)],
  );
  const pressed = { list, untilMs: Number.POSITIVE_INFINITY };
  world.pressed.set(id, pressed);
  tell({ t: 'press', id, list: list.map(({ s }) => s) });
  await pause(PRESS_FIRST_MS);
  const times = [send(world, logout, id)];
  if (random.chance(TWICE)) times.push(send(world, logout, ++world.lastLogout));
  await Promise.all(times);
  pressed.untilMs = performance.now() + PRESS_ON_MS;
  tell({ t: 'release', id });
}

async function send(world: World, logout: Logout, id: number): Promise<void> {
  const { recorder, requests } = world;
  const { scope, cover, method, path, headers } = logout;
  const node = anyNode(world);
  let { body } = logout;
  if ('everyone' in cover) {
    // Answered with the count, which has to be repeated; by itself it ends nothing.
    const counted = await requests.json(method, node.url + path, headers, body);
    if (counted.status !== 409) return;
    body = { ...body, confirm: (JSON.parse(counted.text) as { count: number }).count };
  }
  recorder.write({ t: 'logout', id, scope, cover, node: node.name, sent: now() });
  const reply = await requests.json(method, node.url + path, headers, body);
  const at = now();
  recorder.write({ t: 'answer', id, at, status: reply.status, ...toldBy(reply) });
}

interface Told {
  confirmed: boolean;
  ms: number | null;
  acknowledged: number;
  waitedOut: number;
}

/** What the answer says of its propagation: in the body, or in the header where the body is a contract's. */
function toldBy({ status, headers, text }: Reply): Told {
  const nothing = { confirmed: false, ms: null, acknowledged: 0, waitedOut: 0 };
  if (status !== 200) return nothing;
  const header = headers['curfew-propagation'];
  if (typeof header === 'string') {
    const said = new Map(header.split(', ').map((item) => item.split('=') as [string, string]));
    return {
      confirmed: said.get('confirmed') === '?1',
      ms: Number(said.get('ms')),
      acknowledged: Number(said.get('acknowledged')),
      waitedOut: Number(said.get('waited-out')),
    };
  }
  const { confirmed, ms, acknowledged, waitedOut } = JSON.parse(text) as Partial<Told>;
  return confirmed === undefined
    ? nothing
    : { confirmed, ms: ms ?? null, acknowledged: acknowledged ?? 0, waitedOut: waitedOut ?? 0 };
}
