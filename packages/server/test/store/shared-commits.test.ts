/** The embedded database's syncs: one before each answer, and one for logouts that arrive together. */
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeUser } from '../crash/ledger.ts';
import { openAuthority, SERVICE_KEY, type TestAuthority } from '../support.ts';

const LOGOUTS = 40;

const fs = createRequire(import.meta.url)('node:fs') as { fsyncSync: (descriptor: number) => void };
const given = fs.fsyncSync;
let syncs = 0;

let running: TestAuthority;
beforeAll(async () => {
  fs.fsyncSync = (descriptor) => {
    syncs++;
    given(descriptor);
  };
  syncBuiltinESMExports();
  const settings = { CURFEW_EMBEDDED_FSYNC: '1', CURFEW_DEMO_ACCOUNTS: '0' };
  running = await openAuthority('embedded', settings);
});
afterAll(async () => {
  await running.close();
  fs.fsyncSync = given;
  syncBuiltinESMExports();
});

async function open(count: number): Promise<string[]> {
  const user_id = await makeUser(running, `syncs${syncs}@example.com`);
  const { json } = await running.call('POST', '/v1/admin/sessions', {
    bearer: SERVICE_KEY,
    body: { user_id, transport: 'bearer', count },
  });
  return json.sessions.map(({ access_token }: { access_token: string }) => access_token);
}

async function logOut(bearer: string): Promise<void> {
  expect((await running.call('POST', '/v1/logout', { bearer })).status).toBe(200);
}

test('each logout is synced before it is answered', async () => {
  for (const bearer of await open(3)) {
    const before = syncs;
    await logOut(bearer);
    expect(syncs).toBeGreaterThan(before);
  }
});

test(`${LOGOUTS} concurrent logouts share commits, and so syncs`, async () => {
  const bearers = await open(LOGOUTS);
  const before = syncs;
  await Promise.all(bearers.map(logOut));
  expect(syncs - before).toBeGreaterThan(0);
  expect(syncs - before).toBeLessThan(LOGOUTS / 4);
});
