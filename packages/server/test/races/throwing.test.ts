/** Exceptions on the way of an ending: reads continue, every caller gets an answer, and no ended session is accepted. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { coalesced } from '../../src/system/coalesced.ts';
import { findSession } from '../../src/store/live-session.ts';
import type { SessionEnd } from '@curfew/protocol/notices';
import { newUser, type OpenSession, opened } from '../http/logins.ts';
import { type Answer, backends } from '../support.ts';
import { type Node, openPlace, type Place, until } from './node.ts';

const failing = (): never => {
  throw new Error('a listener failed');
};

describe.each(backends())('an exception on the way of an ending, %s', (backend) => {
  let place: Place;
  let node: Node;
  beforeAll(async () => {
    place = await openPlace(backend);
    node = place.at(1);
  });
  afterAll(() => place.close());

  const open = async (): Promise<OpenSession> => opened(node.call, (await newUser(node.call)).id);
  const check = async ({ bearer }: OpenSession): Promise<number> =>
    (await node.call('GET', '/v1/check', { bearer })).status;
  const out = ({ bearer }: OpenSession, at = node): Promise<Answer> =>
    at.call('POST', '/v1/logout', { bearer });

  test('in the memory of the ending node: confirmed once the log has returned it', async () => {
    const [mine, other] = [await open(), await open()];
    for (const session of [mine, mine, other, other]) expect(await check(session)).toBe(200);
    const { memory, nodes } = node.world;
    Object.assign(memory, { change: failing });
    const answering = out(mine);
    // It cannot take anything in, so it answers nothing from memory, and reads again and again.
    await until('the node has noticed', async () => !nodes.node.isFresh());
    expect(await check(other)).toBe(200);
    Reflect.deleteProperty(memory, 'change');
    expect([(await answering).json['confirmed'], await check(mine)]).toEqual([true, 401]);
    await until('the node is fresh', async () => nodes.node.isFresh());
    expect([await check(other), node.lines.join('').includes('could not process an ending')]).toEqual([
      200,
      true,
    ]);
  });

  test.runIf(backend === 'postgres')(
    'in the memory of another node: it answers nothing until it holds the ending',
    async () => {
      const mine = await open();
      expect([await check(mine), await check(mine)]).toEqual([200, 200]);
      const { memory, nodes } = node.world;
      Object.assign(memory, { change: failing });
      expect((await out(mine, place.at(0))).json['confirmed']).toBe(true);
      expect(await check(mine)).toBe(401);
      Reflect.deleteProperty(memory, 'change');
      await until('the node is fresh', async () => nodes.node.isFresh());
      const next = await open();
      expect([await check(next), await check(next)]).toEqual([200, 200]);
      expect((await out(next, place.at(0))).json['acknowledged']).toBe(1);
      expect(await check(next)).toBe(401);
    },
  );

  test('in a listening page, or a counter: the logout is confirmed, and the others are notified', async () => {
    const { id } = await newUser(node.call);
    const { world } = node;
    const told: SessionEnd[] = [];
    const sessions = [await opened(node.call, id), await opened(node.call, id)];
    for (const [i, { sid }] of sessions.entries()) {
      const session = await findSession(world.database, world.system.now(), sid);
      if (session === null || typeof session === 'string') throw new Error('no session');
      world.notices.listen(session, {
        ended: i === 0 ? failing : (ended) => void told.push(ended),
        changed: failing,
      });
    }
    world.notices.onEnded(failing);
    world.nodes.onConfirmed(failing);
    for (const [i, session] of sessions.entries()) {
      expect((await out(session)).json['confirmed']).toBe(true);
      await until('it was told', async () => world.notices.state().ended === i + 1);
    }
    expect(told.map(({ reason }) => reason)).toEqual(['logout']);
    const said = node.lines.map((line) => JSON.parse(line));
    expect(said).toContainEqual(
      expect.objectContaining({
        level: 'error',
        part: 'nodes',
        msg: 'a listener to confirmations failed',
        err: expect.objectContaining({ message: 'a listener failed' }),
      }),
    );
  });

  test('in a subscriber: the ending is taken in all the same', async () => {
    const mine = await open();
    const { notices, nodes } = node.world;
    Object.assign(notices, { took: failing });
    expect((await out(mine)).json['confirmed']).toBe(true);
    expect([await check(mine), nodes.node.isFresh()]).toEqual([401, true]);
    Reflect.deleteProperty(notices, 'took');
  });
});

test('in shared work: its callers get the error, and the next caller a new run', async () => {
  let fails = true;
  const shared = coalesced((() => (fails ? failing() : Promise.resolve('done'))) as () => Promise<string>);
  const [first, during] = [shared(), shared()];
  await expect(first).rejects.toThrow('a listener failed');
  await expect(during).rejects.toThrow('a listener failed');
  fails = false;
  expect(await shared()).toBe('done');
});
