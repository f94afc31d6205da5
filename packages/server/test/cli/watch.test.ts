import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Environment } from '../../src/config.ts';
import { freshData } from '../services/embedded-data.ts';
import { findPostgres, withClient } from '../services/postgres.ts';
import { freePort } from '../services/ports.ts';
import { PASSWORD, SERVICE_KEY } from '../support.ts';
import { follow, ownPlace, run, serve, type ServerProcess } from './processes.ts';

/* `curfew watch`, on a running server. */

const hasPostgres = findPostgres() !== undefined;
let database: Awaited<ReturnType<typeof ownPlace>>;
let server: ServerProcess;
let place: Environment;
let remote: Environment;

beforeAll(async () => {
  database = await ownPlace();
  ({ place } = database);
  server = await serve({ ...place, CURFEW_SERVICE_KEYS: SERVICE_KEY, CURFEW_DEMO_ACCOUNTS: '1' });
  remote = { CURFEW_URL: server.url, CURFEW_SERVICE_KEY: SERVICE_KEY };
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await database.close();
});

async function logIn(): Promise<string> {
  const body = { email: 'test@example.com', password: PASSWORD };
  const { status, json } = await server.call('POST', '/v1/login', { body });
  expect(status).toBe(200);
  return json.session.id;
}

describe('watch', () => {
  test('prints earlier and new events, each once', async () => {
    await logIn();
    const watching = follow(['watch', '--last', '1', '--json'], remote);
    try {
      // It is running when it has shown the earlier events.
      await watching.shown(1);
      expect((await run(['logout', '--user', '2', '--json'], remote)).code).toBe(0);
      await run(['user', 'role', '2', 'admin'], remote);
      await run(['user', 'role', '2', 'user'], remote);
      await watching.shown(4);
      // A duplicate would appear before later events.
      await run(['user', 'disable', '2'], remote);
      await run(['user', 'enable', '2'], remote);
      await watching.shown(6);
      expect(
        watching
          .lines()
          .slice(1)
          .map(({ type, reason }) => reason ?? type),
      ).toEqual(['admin_logout', 'role_changed', 'role_changed', 'user_disabled', 'user_changed']);
    } finally {
      await watching.interrupt();
    }
    const events = watching.lines();
    expect(new Set(events.map(({ position }) => position)).size).toBe(events.length);
  });

  test('names the API key that acted', async () => {
    const made = await run(['api-keys', 'create', 'Deploy', '--scopes', 'admin', '--json'], remote);
    const { key, secret } = made.json;
    await run(['logout', '--user', '2'], { ...remote, CURFEW_SERVICE_KEY: secret });
    const { out } = await run(['watch', '--last', '1', '--for', '1'], remote);
    expect(out).toContain(`by key:${key.id} (Deploy)`);
  });

  test('prints a line for people', async () => {
    await logIn();
    await run(['logout', '--user', '2'], remote);
    const { code, out } = await run(['watch', '--last', '2', '--for', '1'], remote);
    expect(code).toBe(0);
    expect(out.trim().split('\n')).toHaveLength(2);
    expect(out).toContain('sessions ended  user 2');
  });

  test('names the login that ended', async () => {
    const login = await logIn();
    expect((await run(['logout', '--login', login], remote)).code).toBe(0);
    const { out } = await run(['watch', '--last', '1', '--for', '1'], remote);
    expect(out).toContain(`  login ${login}  `);
  });

  test.runIf(hasPostgres).each(['through a server', 'on the database'])(
    'a late commit is shown, however much was shown before it: %s',
    async (way) => {
      const watching = follow(['watch', '--last', '1', '--json'], way === 'on the database' ? place : remote);
      const positions = (): number[] => watching.lines().map(({ position }) => position);
      const append = (count: number): string => `insert into events (at, type, actor)
        select now(), 'keys_rotated', 'operator' from generate_series(1, ${count}) returning position`;
      try {
        await watching.shown(1);
        await withClient(place['DATABASE_URL'] ?? '', async (late) => {
          await late.query('begin');
          const { rows } = await late.query<{ position: string }>(append(1));
          const between = await withClient(place['DATABASE_URL'] ?? '', (other) => other.query(append(1500)));
          // Until it has shown the later events that exist already.
          await watching.shown(1 + (between.rowCount ?? 0));
          await late.query('commit');
          await watching.shown(2 + (between.rowCount ?? 0));
          expect(positions().at(-1)).toBe(Number(rows[0]?.position));
        });
      } finally {
        await watching.interrupt();
      }
      expect(new Set(positions()).size).toBe(positions().length);
    },
  );

  test('after a server restart the events of the outage are shown, and none twice', async () => {
    const port = String(await freePort());
    const own = hasPostgres ? place : { CURFEW_DATA: freshData('watch'), CURFEW_EMBEDDED_FSYNC: '0' };
    const start = () => serve({ ...own, PORT: port, CURFEW_SERVICE_KEYS: SERVICE_KEY });
    let server = await start();
    const at = { CURFEW_URL: server.url, CURFEW_SERVICE_KEY: SERVICE_KEY };
    const add = async (email: string, where: Environment): Promise<number> =>
      (await run(['user', 'add', email, '--generate', '--json'], where)).json.user.id;
    const first = await add('first@example.com', at);
    const watching = follow(['watch', '--last', '1', '--json'], at);
    const created = (): number[] => watching.lines().map(({ user_id }) => user_id);
    try {
      await watching.shown(1);
      const second = await add('second@example.com', at);
      await watching.shown(2);
      await server.stop();
      // On the database itself, while no server answers.
      const third = await add('third@example.com', own);
      server = await start();
      await watching.shown(3);
      const fourth = await add('fourth@example.com', at);
      await watching.shown(4);
      expect(created()).toEqual([first, second, third, fourth]);
    } finally {
      await watching.interrupt();
      await server.stop();
    }
  });
});
