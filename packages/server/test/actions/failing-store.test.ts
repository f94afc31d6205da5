/** The answer when one statement of an action fails, and the database is up otherwise. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DatabaseError } from '../../src/store/database.ts';
import { type Node, openNode } from '../races/node.ts';
import { freshData } from '../services/embedded-data.ts';
import { freshDatabase } from '../services/fresh-database.ts';
import { cookieLogin, newUser, opened } from '../http/logins.ts';
import { migrated, routeBackend, SERVICE_KEY } from '../support.ts';

let on: Node;
beforeAll(async () => {
  on = await openNode({
    CURFEW_EMBEDDED_FSYNC: '0',
    ...(routeBackend() === 'embedded'
      ? { CURFEW_DATA: freshData('failing') }
      : { DATABASE_URL: await freshDatabase(migrated) }),
  });
});
afterAll(() => on.close());

/** While the work runs, every statement of that name, or with that text, fails. */
async function without<T>(statement: RegExp, work: () => Promise<T>): Promise<T> {
  const { database } = on.world;
  const query = database.query.bind(database);
  const transaction = database.transaction.bind(database);
  const failing =
    (asked: typeof query): typeof query =>
    (config) =>
      statement.test(`${config.name} ${config.text}`)
        ? Promise.reject(new DatabaseError('made to fail'))
        : asked(config);
  Object.assign(database, {
    query: failing(query),
    transaction: ((inside, lane) =>
      transaction(
        (queryable) => inside({ query: failing(queryable.query.bind(queryable)) }),
        lane,
      )) as typeof transaction,
  });
  try {
    return await work();
  } finally {
    Object.assign(database, { query, transaction });
  }
}

const admin = (method: string, path: string, body: object) =>
  on.call(method, path, { bearer: SERVICE_KEY, body });

describe('a statement fails', () => {
  test('a user whose insertion failed is not reported as existing, and can be created afterwards', async () => {
    const body = { email: 'later@example.com', password: 'a password of this test' };
    const failed = await without(/insert into events/, () => admin('POST', '/v1/admin/users', body));
    expect([failed.status, failed.json.code]).toEqual([503, 'unavailable']);
    expect((await admin('POST', '/v1/admin/users', body)).status).toBe(201);
  });

  test('a role change that could not be logged is reported as failed, and ends nothing', async () => {
    const user = await newUser(on.call);
    const { bearer } = await opened(on.call, user.id);
    const change = () =>
      admin('PATCH', `/v1/admin/users/${user.id}`, { role: 'admin' }).then(({ status }) => status);
    expect(await without(/insert into events/, change)).toBe(503);
    expect((await on.call('GET', '/v1/session', { bearer })).status).toBe(200);
    expect(await change()).toBe(200);
    expect((await on.call('GET', '/v1/session', { bearer })).status).toBe(401);
  });

  test('an application is logged out although its sessions cannot be counted, and the log says so', async () => {
    const { bearer } = await opened(on.call, (await newUser(on.call)).id, { client_id: 'token' });
    const ended = await without(/first_cut_being_marked/, () =>
      admin('POST', '/v1/admin/logout', { scope: 'client', client_id: 'token' }),
    );
    expect([ended.status, ended.json.confirmed]).toEqual([200, true]);
    expect((await on.call('GET', '/v1/session', { bearer })).status).toBe(401);
    expect(on.lines.map((line) => JSON.parse(line))).toContainEqual(
      expect.objectContaining({
        client_id: 'token',
        msg: 'could not count the sessions of an application',
      }),
    );
  });

  test('everyone is not logged out when the sessions cannot be counted, because the number cannot be confirmed', async () => {
    const { bearer } = await opened(on.call, (await newUser(on.call)).id);
    const refused = await without(/first_cut_being_marked/, () =>
      admin('POST', '/v1/admin/logout', { scope: 'everyone', confirm: 1 }),
    );
    expect(refused.status).toBe(503);
    expect((await on.call('GET', '/v1/session', { bearer })).status).toBe(200);
  });

  test('a dead cookie is kept when its session’s end cannot be looked up, and the log says so', async () => {
    const { cookie, csrf } = await cookieLogin(on.call, (await newUser(on.call)).email);
    await on.call('POST', '/auth/logout', { cookie, csrf });
    const dead = await without(/end_reason_of_secret/, () => on.call('GET', '/auth/profile', { cookie }));
    expect([dead.status, dead.headers.getSetCookie()]).toEqual([401, []]);
    expect(on.lines.map((line) => JSON.parse(line).msg)).toContain('could not look up how a session ended');
  });

  test('the event of a change names exactly the fields that it was asked to change', async () => {
    const user = await newUser(on.call);
    await admin('PATCH', `/v1/admin/users/${user.id}`, { name: 'Another' });
    const { json } = await on.call('GET', `/v1/admin/events?user_id=${user.id}&type=user_changed`, {
      bearer: SERVICE_KEY,
    });
    expect(json.events.map(({ details }: { details: unknown }) => details)).toEqual([{ fields: ['name'] }]);
  });
});
