/** The database goes back under running nodes: a standby that lacks the last commits takes over at the same address. */
import { afterEach, describe, expect, test } from 'vitest';
import { followLog } from '../http/following-log.ts';
import { hasPostgres } from '../services/fresh-database.ts';
import { passWhile } from '../services/hand-clock.ts';
import { openMovingAddress } from '../services/moving-address.ts';
import { withClient } from '../services/postgres.ts';
import {
  check,
  clock,
  closeAll,
  closers,
  endedOnce,
  eventually,
  FAR,
  isFresh,
  jump,
  logIn,
  logOut,
  newUser,
  openStageWithStandby,
  type Session,
  isOverFrom,
} from './going-back.ts';
import { until } from './node.ts';

afterEach(closeAll);

describe.runIf(hasPostgres())('a standby that lacks the last commits takes over', () => {
  test.each([{ burnt: false }, { burnt: true }])(
    'a later logout is confirmed, and true on every node and verifier, transactions burnt: $burnt',
    async ({ burnt }) => {
      const stage = await openStageWithStandby();
      const [a, b] = [await stage.node(), await stage.node()];
      const verifier = await stage.follow(b);
      const session = await logIn(a, await newUser(a));
      const other = await newUser(a);
      await stage.standby.caughtUp();
      stage.standby.cutOff();
      // Node b takes this read for its cursor.
      for (let i = 0; i < 5; i++) await logIn(a, other);
      await logOut(a, { scope: 'user', user_id: other });
      expect(await check(b, session)).toBe(200);
      await isFresh(verifier);
      expect(await verifier.verify(session.bearer)).toMatchObject({ ok: true, by: 'memory' });

      await stage.failOver();
      if (burnt)
        await withClient(stage.standby.url, async (client) => {
          for (let i = 0; i < 100; i++) await client.query('select pg_current_xact_id()');
        });
      stage.address.moveTo(stage.standby.port);
      expect(await logOut(a, { scope: 'user', user_id: session.userId })).toMatchObject({ confirmed: true });
      await isOverFrom(verifier, b, session);
      await endedOnce(a, session);
      await isFresh(verifier);
      expect(await verifier.verify(session.bearer)).toMatchObject({ ok: false });
      expect(b.lines.map((line) => JSON.parse(line))).toContainEqual(
        expect.objectContaining({
          level: 'warn',
          msg: expect.stringContaining('the database went back in time'),
          epoch: expect.stringMatching(/^\d+\.[0-9a-f]{12}$/),
        }),
      );
    },
    60_000,
  );

  test('a stream of the log continues with later events', async () => {
    const stage = await openStageWithStandby();
    const a = await stage.node();
    const session = await logIn(a, await newUser(a));
    await stage.standby.caughtUp();
    stage.standby.cutOff();
    await jump(stage.primary.url);
    const stream = await followLog(a);
    closers.push(() => stream.close());
    await logOut(a, { scope: 'user', user_id: await newUser(a) });
    await eventually('the lost history is streamed', async () => stream.events.length > 0);
    await stage.failOver();
    stage.address.moveTo(stage.standby.port);
    await logOut(a, { scope: 'user', user_id: session.userId });
    await eventually('what was written after is streamed', async () =>
      stream.events.some(({ type, user_id }) => type === 'sessions_ended' && user_id === session.userId),
    );
    expect(stream.done).toBe(false);
  }, 60_000);

  test('endings and sessions of the lost history are void', async () => {
    const stage = await openStageWithStandby();
    const [a, b] = [await stage.node(), await stage.node()];
    const verifier = await stage.follow(b);
    const [userId, otherId] = [await newUser(a), await newUser(a)];
    const kept = await logIn(a, userId);
    await stage.standby.caughtUp();
    stage.standby.cutOff();
    await jump(stage.primary.url);
    const lost = await logIn(a, otherId);
    expect(lost.born).toBeGreaterThan(FAR);
    await logOut(a, { scope: 'user', user_id: userId });
    await isFresh(verifier);
    expect(await verifier.verify(lost.bearer)).toMatchObject({ ok: true });
    expect(await verifier.verify(kept.bearer)).toMatchObject({ ok: false });
    expect(await check(b, lost)).toBe(200);

    await stage.failOver();
    stage.address.moveTo(stage.standby.port);
    // The cut of the lost history lies above the birth of a session of now, which it does not end.
    let fresh: Session | undefined;
    await eventually(
      'a login',
      async () => (fresh = await logIn(a, userId).catch(() => undefined)) !== undefined,
    );
    const session = fresh as Session;
    expect(session.born).toBeLessThan(FAR);
    for (const node of [a, b]) {
      await eventually('the node answers', async () => (await check(node, session)) === 200);
      // Until it has noticed it may answer from memory, for a lease at most.
      await eventually('the node has noticed', async () => (await check(node, lost)) === 401);
    }
    // The verifier, too, goes on with the lost cut for a lease at most.
    await eventually('the verifier has noticed', async () => (await verifier.verify(session.bearer)).ok);
    await isFresh(verifier);
    // Its logout was lost, too.
    expect(await verifier.verify(kept.bearer)).toMatchObject({ ok: true, by: 'authority' });
    // A session that began in the lost history has no row, however its birth compares with a cut of now.
    expect(await verifier.verify(lost.bearer)).toEqual({ ok: false, reason: 'unknown' });
    expect(await logOut(a, { scope: 'client', client_id: 'default' })).toMatchObject({
      confirmed: true,
    });
    for (const one of [lost, kept, session]) {
      expect((await verifier.verify(one.bearer)).ok).toBe(false);
      for (const node of [a, b]) expect(await check(node, one)).toBe(401);
    }
  }, 60_000);

  test('a node that is registered only in the lost history is waited for', async () => {
    const leaseMs = 6000;
    const stage = await openStageWithStandby(leaseMs);
    const a = await stage.node();
    const session = await logIn(a, await newUser(a));
    await stage.standby.caughtUp();
    stage.standby.cutOff();
    const own = await openMovingAddress(stage.primary.port);
    closers.push(() => own.close());
    const c = await stage.node(own);
    const verifier = await stage.follow(c);
    expect(await check(c, session)).toBe(200);
    expect(await verifier.verify(session.bearer)).toMatchObject({ ok: true, by: 'memory' });

    // It does not reach the database that took over, and goes on in its memory until its lease is over.
    own.moveTo(null);
    await stage.failOver();
    stage.address.moveTo(stage.standby.port);
    let accepted = 0;
    const answer = await logOut(a, { scope: 'user', user_id: session.userId }, () => {
      if (verifier.verifyNow(session.bearer, { onStale: 'refuse' })?.ok === true) accepted++;
    });
    expect(answer).toMatchObject({ confirmed: true });
    await endedOnce(a, session);
    expect(accepted).toBeGreaterThan(0);
    expect(verifier.verifyNow(session.bearer, { onStale: 'refuse' })).toMatchObject({ ok: false });
    expect(await check(c, session)).not.toBe(200);
    own.moveTo(stage.standby.port);
  }, 60_000);
});

describe.runIf(hasPostgres())('a logout under way while the database goes back', () => {
  test('is confirmed if the standby has it, and fails otherwise', async () => {
    const stage = await openStageWithStandby(6000);
    const a = await stage.node();
    const own = await openMovingAddress(stage.primary.port);
    closers.push(() => own.close());
    await stage.node(own);
    // It is silent, so each logout takes the lease.
    own.moveTo(null);
    const [kept, lost] = [await logIn(a, await newUser(a)), await logIn(a, await newUser(a))];
    const logOutOnce = async ({ bearer, sid }: Session) => {
      const answer = a.call('POST', '/v1/logout', { bearer, body: {} });
      await until('the logout is committed', () =>
        withClient(stage.primary.url, async (client) => {
          const { rows } = await client.query('select 1 from open_sessions where id = $1', [sid]);
          return rows.length === 0;
        }),
      );
      return { answer };
    };
    const first = await logOutOnce(kept);
    await stage.standby.caughtUp();
    stage.standby.cutOff();
    const second = await logOutOnce(lost);
    await stage.failOver();
    stage.address.moveTo(stage.standby.port);

    const [held, gone] = await passWhile(clock, Promise.all([first.answer, second.answer]));
    expect([held.status, held.json]).toMatchObject([200, { ended: 1, confirmed: true }]);
    expect([gone.status, gone.headers.get('retry-after')]).toEqual([503, expect.anything()]);
    expect(await check(a, kept)).toBe(401);
    await eventually('the one that was lost may log out again', async () => (await check(a, lost)) === 200);
    expect(await logOut(a, { scope: 'user', user_id: lost.userId })).toMatchObject({ confirmed: true });
    expect(await check(a, lost)).toBe(401);
    expect(a.lines.join('')).toContain('the database went back in time');
  }, 60_000);
});
