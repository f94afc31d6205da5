/** Clients: the settings create them, and the database decides. */
import { afterEach, describe, expect, test } from 'vitest';
import {
  openAuthority,
  recordingLog,
  reopenAuthority,
  routeBackend,
  SERVICE_KEY,
  type TestAuthority,
} from './support.ts';

const open: TestAuthority[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

const opened = async (opening: Promise<TestAuthority>): Promise<TestAuthority> => {
  const on = await opening;
  open.push(on);
  return on;
};
const namesOf = async (on: TestAuthority): Promise<Record<string, string>> => {
  const { json } = await on.call('GET', '/v1/admin/clients', { bearer: SERVICE_KEY });
  const clients = json.clients as { client_id: string; name: string }[];
  return Object.fromEntries(clients.map(({ client_id, name }) => [client_id, name]));
};
const BUILT_IN = ['cookie', 'default', 'envelope', 'session-id', 'token'];
const warned = (lines: string[]): string[] =>
  lines.filter((line) => line.includes('differs from the database')).map((line) => JSON.parse(line).clients);

describe('clients of the settings', () => {
  test('the built-in ones exist from the start, under names for people', async () => {
    const on = await opened(openAuthority(routeBackend()));
    const names = await namesOf(on);
    expect(Object.keys(names).toSorted()).toEqual(BUILT_IN);
    for (const [id, name] of Object.entries(names)) expect(name).not.toBe(id);
  });

  test('a start creates what the database lacks, once, and says so in the log', async () => {
    const clients = { shop: { name: 'The shop' }, cookie: { name: 'Website' } };
    const on = await opened(openAuthority(routeBackend(), { CURFEW_CLIENTS: JSON.stringify(clients) }));
    expect(await namesOf(on)).toMatchObject({ shop: 'The shop', cookie: 'Website' });
    const events = async (from: TestAuthority) =>
      (await from.call('GET', '/v1/admin/events?type=client_created', { bearer: SERVICE_KEY })).json.events;
    expect(await events(on)).toMatchObject([{ client_id: 'shop', actor: 'system' }]);
    await open.pop()?.close();
    const again = await opened(reopenAuthority({ ...on.settings }));
    expect(await events(again)).toHaveLength(1);
  });

  test('after that the database decides: a start names what the setting says otherwise', async () => {
    const settings = (clients: object) => ({ CURFEW_CLIENTS: JSON.stringify(clients) });
    const on = await opened(openAuthority(routeBackend(), settings({ shop: { name: 'The shop' } })));
    await open.pop()?.close();
    const { log, lines } = recordingLog();
    const changed = settings({
      shop: { name: 'Boutique' },
      desk: {},
      cookie: { idleSeconds: 60 },
      token: { algorithm: 'EdDSA' },
    });
    const later = await opened(reopenAuthority({ ...on.settings, ...changed }, { log }));
    expect(await namesOf(later)).toMatchObject({ shop: 'The shop', desk: 'desk' });
    expect(warned(lines)).toEqual([['shop', 'cookie']]);
    await open.pop()?.close();
    // Without the setting they are still there.
    const { CURFEW_CLIENTS: _, ...without } = on.settings;
    const silent = recordingLog();
    const last = await opened(reopenAuthority(without, { log: silent.log }));
    expect(await namesOf(last)).toMatchObject({ shop: 'The shop', desk: 'desk' });
    expect(warned(silent.lines)).toEqual([]);
  });

  test('a start is refused where the settings contradict a client of the database', async () => {
    const shop = JSON.stringify({ shop: { idleSeconds: 3600, absoluteSeconds: 200 * 86_400 } });
    const on = await opened(openAuthority(routeBackend(), { CURFEW_CLIENTS: shop }));
    const { CURFEW_CLIENTS: _, ...without } = on.settings;
    await open.pop()?.close();
    await expect(reopenAuthority({ ...without, CURFEW_EVENTS_RETENTION_DAYS: '100' })).rejects.toThrow(
      'CURFEW_EVENTS_RETENTION_DAYS: a session of "shop" may live for 200 days, but CURFEW_EVENTS_RETENTION_DAYS is 100. Set that to 200 or more, or choose a shorter lifetime.',
    );
    await opened(reopenAuthority(without));
  });
});
