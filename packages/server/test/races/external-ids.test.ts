/** Two calls that create or get the same user of another system: the first stops where the test wants it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasPostgres } from '../services/fresh-database.ts';
import { openHandClock, timeOf } from '../services/hand-clock.ts';
import { EVERYWHERE, hold } from '../services/held-database.ts';
import { type Answer, type AnyJson, SERVICE_KEY } from '../support.ts';
import { answeredOrLocked, openPlace, type Place } from './node.ts';

const RACES = EVERYWHERE.flatMap((at) =>
  [0, 1].flatMap((node) => ['the same address', 'another address'].map((address) => ({ at, node, address }))),
);

describe.runIf(hasPostgres())('two calls for one user of another system', () => {
  let on: Place;
  beforeAll(async () => {
    on = await openPlace('postgres', {}, timeOf(openHandClock()));
  });
  afterAll(() => on.close());

  const post = (node: number, path: string, body: object): Promise<Answer<AnyJson>> =>
    on.at(node).call('POST', path, { bearer: SERVICE_KEY, body });
  const usersOf = (external_id: string) =>
    on.rows<{ id: number }>('select id from users where external_id = $1', external_id);
  let made = 0;

  test.each(RACES)(
    'creating it, the first stops $at, the second at node $node with $address',
    async (race) => {
      const external_id = `both-${++made}`;
      const email = (n: number): string =>
        `${external_id}${race.address === 'another address' ? n : ''}@example.com`;
      const held = hold(on.at(0).world.database, 'insert_user', race.at);
      const first = post(0, '/v1/admin/users', { external_id, email: email(1) });
      await held.reached;
      const second = post(race.node, '/v1/admin/users', { external_id, email: email(2) });
      await answeredOrLocked(on, second);
      held.release();
      const answers = await Promise.all([first, second]);
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 201]));
      const [user, ...others] = await usersOf(external_id);
      expect(others).toEqual([]);
      expect(answers.map(({ json }) => json.user.id)).toEqual([user?.id, user?.id]);
    },
  );

  test.each(EVERYWHERE)('opening sessions, the first stops %s: both are sessions of one user', async (at) => {
    const external_id = `session-${++made}`;
    const body = { user: { external_id, email: `${external_id}@example.com` } };
    const held = hold(on.at(0).world.database, 'insert_user', at);
    const first = post(0, '/v1/admin/sessions', body);
    await held.reached;
    const second = post(1, '/v1/admin/sessions', body);
    await answeredOrLocked(on, second);
    held.release();
    const answers = await Promise.all([first, second]);
    const [user, ...others] = await usersOf(external_id);
    expect(others).toEqual([]);
    expect(answers.map(({ json }) => json.session.user_id)).toEqual([user?.id, user?.id]);
  });

  test('another user’s address that is taken at the same moment is 409, and no account is linked', async () => {
    const external_id = `taken-${++made}`;
    const email = `${external_id}@example.com`;
    const held = hold(on.at(0).world.database, 'insert_user', 'uncommitted');
    const first = post(0, '/v1/admin/users', { email });
    await held.reached;
    const second = post(1, '/v1/admin/users', { external_id, email });
    await answeredOrLocked(on, second);
    held.release();
    expect([(await first).status, (await second).status]).toEqual([201, 409]);
    expect(await usersOf(external_id)).toEqual([]);
  });

  test('deleting the user erases the id', async () => {
    const external_id = `gone-${++made}`;
    const { json } = await post(0, '/v1/admin/users', { external_id, email: `${external_id}@example.com` });
    const { id } = json.user;
    expect((await on.at(0).call('DELETE', `/v1/admin/users/${id}`, { bearer: SERVICE_KEY })).status).toBe(
      204,
    );
    const rows = await on.rows('select external_issuer, external_id from users where id = $1', id);
    expect(rows).toEqual([{ external_issuer: null, external_id: null }]);
  });
});
