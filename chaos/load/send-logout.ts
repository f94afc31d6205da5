import type * as wire from '@curfew/protocol/wire/logout';
import { now } from '../recorder.ts';
import { type Logout, makeLogout, makeTwice, scopes } from './logouts.ts';
import type { Reply } from './requests.ts';
import type { Session } from './session.ts';
import { anyNode, pause, type World } from './world.ts';

/** So many sessions of a logout are checked all the time while it is under way. */
const PRESSED = 2;
/** The time until the back ends know which sessions to check all the time. */
const PRESS_FIRST_MS = 25;
const PRESS_ON_MS = 150;
/** How often the same logout is sent to a second node at the same time. */
const TWICE = 0.08;
/** How long before a list one of its sessions is logged out alone, so that this logout has just been committed or soon will be. */
const BEFORE_LIST_MS = [0, 5, 10, 20, 40, 80];

/**
 * Sends a logout, while every back end checks its sessions all the time. Scopes without a successful logout come first, so that none is
 * missing in a short run or on a busy machine.
 */
export function logoutSender(): (world: World) => Promise<void> {
  const owed = scopes.slice();
  return async (world) => {
    const make = owed.shift();
    const first = make?.(world);
    const logout = first ?? makeLogout(world);
    const succeeded = logout ? await sendLogout(world, logout) : false;
    if (make && !(first && succeeded)) owed.push(make);
  };
}

/** @returns whether it succeeded */
async function sendLogout(world: World, logout: Logout): Promise<boolean> {
  const { random } = world;
  const list = Array.from({ length: PRESSED }, () => logout.ends).flatMap((ends) =>
    ends.length === 0 ? [] : [random.pick(ends)],
  );
  let succeeded = false;
  await pressing(world, logout.ends, list, async () => {
    const times = [send(world, logout)];
    if (random.chance(TWICE)) times.push(send(world, logout));
    succeeded = (await Promise.all(times)).includes(true);
  });
  return succeeded;
}

/** Ends a list of sessions at two nodes at once, just when one of them is being ended at the third. */
export async function endTwice(world: World): Promise<void> {
  const twice = makeTwice(world);
  if (!twice) return;
  const { random, settings } = world;
  const { one, list } = twice;
  const first = anyNode(world);
  await pressing(world, list.ends, list.ends, async () => {
    const times = [send(world, one, first)];
    await pause(random.pick(BEFORE_LIST_MS));
    for (const node of settings.nodes) if (node !== first) times.push(send(world, list, node));
    await Promise.all(times);
  });
}

/** Sends logouts while every back end checks their sessions all the time. @param ends all sessions that they end */
async function pressing(
  world: World,
  ends: readonly Session[],
  list: Session[],
  work: () => Promise<void>,
): Promise<void> {
  for (const session of ends) session.over = true;
  const id = ++world.lastPress;
  const pressed = { list, untilMs: Number.POSITIVE_INFINITY };
  world.pressed.set(id, pressed);
  world.tell({ t: 'press', id, list: list.map(({ s }) => s) });
  await pause(PRESS_FIRST_MS);
  await work();
  pressed.untilMs = performance.now() + PRESS_ON_MS;
  world.tell({ t: 'release', id });
}

/** @returns whether it succeeded */
async function send(world: World, logout: Logout, node = anyNode(world)): Promise<boolean> {
  const { recorder, requests } = world;
  const { scope, cover, method, path, headers } = logout;
  const id = ++world.lastLogout;
  let { body } = logout;
  if ('everyone' in cover) {
    // The answer is the count, which the client must repeat. This request ends nothing.
    const counted = await requests.json(method, node.url + path, headers, body);
    if (counted.status !== 409) return false;
    body = { ...body, confirm: (JSON.parse(counted.text) as { count: number }).count };
  }
  recorder.write({ t: 'logout', id, scope, cover, node: node.name, sent: now() });
  const reply = await requests.json(method, node.url + path, headers, body);
  const at = now();
  recorder.write({ t: 'answer', id, at, status: reply.status, ...toldBy(reply) });
  return reply.status === 200;
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
  const {
    confirmed,
    ms = null,
    acknowledged = 0,
    waited_out: waitedOut = 0,
  } = JSON.parse(text) as Partial<wire.Logout>;
  return confirmed === undefined ? nothing : { confirmed, ms, acknowledged, waitedOut };
}
