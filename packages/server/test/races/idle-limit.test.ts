/** A use in the last seconds before the idle limit, not yet written back: the session it keeps alive is not marked as run out. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startHousekeeping } from '../../src/cluster/upkeep/housekeeping.ts';
import { newUser } from '../http/logins.ts';
import { backends, ISSUER, SERVICE_KEY } from '../support.ts';
import { openPlace, type Place, until } from './node.ts';

const FLUSH_MS = 5000;

describe.each(backends())('a use just before the idle limit, %s', (backend) => {
  let place: Place;
  beforeAll(async () => {
    place = await openPlace(backend);
  });
  afterAll(() => place.close());

  test('is written after another node has swept, and the session lives; unused, it expires', async () => {
    const [sweeping, using] = [place.at(0), place.at(1)];
    const { json } = await using.call('POST', '/v1/admin/sessions', {
      bearer: SERVICE_KEY,
      body: { user_id: (await newUser(using.call)).id, transport: 'opaque' },
    });
    const bearer: string = json.session_token;
    const sid: string = json.session.id;
    const row = async (): Promise<{ is_active: boolean; idle: number; over: Date }> => {
      const [found] = await place.rows<{ is_active: boolean; idle_seconds: number; idle_expires_at: Date }>(
        'select is_active, idle_seconds, idle_expires_at from user_sessions where id = $1',
        sid,
      );
      if (!found) throw new Error('no row');
      return { is_active: found.is_active, idle: found.idle_seconds, over: found.idle_expires_at };
    };
    const { memory, database, system } = sweeping.world;
    const housekeeping = startHousekeeping({
      database,
      system,
      memory,
      ownAudience: ISSUER,
      flushMs: () => FLUSH_MS,
      retentionDays: 30,
      eventsRetentionDays: 400,
      auditRetentionDays: 400,
      onRanOut: () => undefined,
    });
    const check = async (): Promise<number> => (await using.call('GET', '/v1/check', { bearer })).status;
    // Nothing is written back while this is held.
    const take = using.world.memory.takeActivity.bind(using.world.memory);
    Object.assign(using.world.memory, { takeActivity: () => [] });
    const { idle } = await row();
    place.clock.advance(idle - 1);
    await until('the node is fresh', async () => using.world.nodes.node.isFresh());
    expect(await check()).toBe(200);
    place.clock.advance(2);
    await housekeeping.sweep();
    expect((await row()).is_active).toBe(true);
    // It is not refused where only the database can decide, and not missing in a list or a logout's count.
    sweeping.world.memory.forget();
    const elsewhere = await sweeping.call('GET', '/v1/session', { bearer });
    expect([elsewhere.status, elsewhere.json.session?.id]).toEqual([200, sid]);
    expect((await sweeping.call('GET', '/v1/sessions', { bearer })).json.sessions).toHaveLength(1);
    const counted = { scope: 'user', user_id: elsewhere.json.user.id, dry_run: true };
    const planned = await sweeping.call('POST', '/v1/admin/logout', { bearer: SERVICE_KEY, body: counted });
    expect(planned.json.count).toBe(1);
    Object.assign(using.world.memory, { takeActivity: take });
    await until('the use is written', async () => (await row()).over > place.clock.now());
    expect(await check()).toBe(200);
    await until(
      'that use as well',
      async () => (await row()).over > new Date(place.clock.now().getTime() + (idle - 1) * 1000),
    );
    place.clock.advance(idle + 1);
    await housekeeping.sweep();
    expect((await row()).is_active).toBe(true);
    place.clock.advance((2 * FLUSH_MS + 2000) / 1000);
    expect(await check()).toBe(401);
    await housekeeping.sweep();
    expect([(await row()).is_active, await check()]).toEqual([false, 401]);
    await housekeeping.close();
  });

  test('is lost to a refresh after the limit on every node, also while the row is not marked', async () => {
    for (const node of place.nodes) {
      const { json } = await node.call('POST', '/v1/admin/sessions', {
        bearer: SERVICE_KEY,
        body: { user_id: (await newUser(node.call)).id, transport: 'bearer' },
      });
      const row = () =>
        place.rows<{ idle_seconds: number }>(
          'select is_active, idle_seconds, idle_expires_at, refresh_generation from user_sessions where id = $1',
          json.session.id,
        );
      const before = await row();
      // And the ten seconds that a use may be written back late, with two for clocks.
      place.clock.advance((before[0]?.idle_seconds ?? 0) + 13);
      const answer = await node.call('POST', '/v1/refresh', { body: { refresh_token: json.refresh_token } });
      expect(answer.status).toBe(401);
      expect(await row()).toEqual(before);
      expect(before).toEqual([expect.objectContaining({ is_active: true })]);
    }
  });
});
