import { now } from '../recorder.ts';
import type { Reply } from './requests.ts';
import { credentialHeaders, type Session } from './session.ts';
import { pause, type World } from './world.ts';

type Node = World['settings']['nodes'][number];

const EVERY_MS = 25;
const PRESS_MS = 15;
/** The most checks of sessions under logout that may wait for a node. */
const AT_ONCE = 12;
const RECENT = 60;
const AT_LAST = 4;
/** For how long the last look repeats a check without a yes or no: this machine may be busy. */
const LAST_MS = 30_000;
const AGAIN_MS = 200;

/** @returns whether the answer was a yes or a no */
async function check(world: World, node: Node, session: Session): Promise<boolean> {
  const headers = credentialHeaders(session, world.settings.issuer);
  // A page's origin would only bring it more headers.
  delete headers['origin'];
  const b = now();
  // This reads through the cached copies, which the forger rewrites.
  const profile = session.kind === 'jwt' && world.random.chance(0.1);
  const reply = await world.requests.send(
    'GET',
    node.url + (profile ? '/auth/profile' : '/v1/check'),
    headers,
  );
  const e = now();
  const wrong = reply.status === 200 && !(profile ? showsOwn(reply, session) : namesOwn(reply, session));
  const o = wrong ? 'wrong' : reply.status === 200 ? 'yes' : reply.status === 401 ? 'no' : 'unavailable';
  world.recorder.write({ t: 'c', b, e, w: node.name, s: session.s, k: session.kind, o });
  return o !== 'unavailable';
}

const namesOwn = ({ headers }: Reply, { sid }: Session): boolean =>
  sid === null || headers['curfew-session'] === sid;

function showsOwn({ text }: Reply, { user }: Session): boolean {
  const { data } = JSON.parse(text) as { data: { id: number; role: string } };
  return data.id === user && data.role === 'user';
}

/** Checks sessions at a node until the load rests, mostly young ones. */
export async function checkAll(world: World, node: Node): Promise<void> {
  const { random, sessions } = world;
  while (!world.resting) {
    const list = random.chance(0.6) ? sessions.slice(-RECENT) : sessions;
    if (list.length > 0) await check(world, node, random.pick(list));
    await pause(EVERY_MS * world.settings.slower);
  }
}

/** Checks sessions under logout at a node, also while earlier checks wait for its database. */
export async function checkPressed(world: World, node: Node): Promise<void> {
  const underWay = new Set<Promise<boolean>>();
  while (!world.resting) {
    for (const [id, { list, untilMs }] of world.pressed) {
      if (performance.now() > untilMs) world.pressed.delete(id);
      if (list.length === 0 || performance.now() > untilMs) continue;
      const checking = check(world, node, world.random.pick(list)).finally(() => underWay.delete(checking));
      underWay.add(checking);
      if (underWay.size >= AT_ONCE) await Promise.race(underWay);
    }
    await pause(PRESS_MS * world.settings.slower);
  }
  await Promise.all(underWay);
}

/** Every session once more, each at one node. */
export async function lastLook(world: World): Promise<void> {
  const queue = world.sessions.slice();
  const { nodes } = world.settings;
  const untilMs = performance.now() + LAST_MS;
  const worker = async (): Promise<void> => {
    for (let session = queue.pop(); session; session = queue.pop()) {
      const node = world.random.pick(nodes);
      while (!(await check(world, node, session)) && performance.now() < untilMs) await pause(AGAIN_MS);
    }
  };
  await Promise.all(Array.from({ length: AT_LAST }, worker));
}
