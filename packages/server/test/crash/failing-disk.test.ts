/** The disk of the embedded database fails, or is full: the process ends with the reason, and no answered commit is lost. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freshData } from '../services/embedded-data.ts';
import { SERVICE_KEY } from '../support.ts';
import { makeUser } from './ledger.ts';
import { type ServerChild, startServer } from './server-child.ts';

const FAILING_DISK = new URL('./failing-disk.ts', import.meta.url).href;

async function logIn(server: ServerChild, user_id: number): Promise<string> {
  const answer = await server.call('POST', '/v1/admin/sessions', {
    bearer: SERVICE_KEY,
    body: { user_id, transport: 'opaque' },
  });
  expect(answer.status).toBe(200);
  return answer.json.session_token;
}

const logOut = (server: ServerChild, bearer: string): Promise<{ status: number }> =>
  server.call('POST', '/v1/logout', { bearer });

test('a failed fsync and a full disk end the process with a line that says so; every acknowledged logout and login stands', {
  timeout: 600_000,
}, async () => {
  const directory = freshData('failing');
  const fault = join(directory, 'fault');
  const settings = {
    CURFEW_DATA: directory,
    CURFEW_EMBEDDED_FSYNC: '1',
    FAULT: fault,
    NODE_OPTIONS: `--import=${FAILING_DISK}`,
  };
  let server = await startServer(settings);
  try {
    const user = await makeUser(server, 'disk@example.com');
    const alive: string[] = [];
    const ended: string[] = [];
    for (const [fails, code, says] of [
      ['fsyncSync', 'EIO', /the disk of \S+ failed \(fsync: EIO\)\. Every logout and login/],
      [
        'writeSync',
        'ENOSPC',
        /the disk of \S+ is full \(write: ENOSPC\)\. .* Free some space, and start Curfew again/,
      ],
    ] as const) {
      const [out, pending] = [await logIn(server, user), await logIn(server, user)];
      expect((await logOut(server, out)).status).toBe(200);
      ended.push(out);
      writeFileSync(fault, `${fails} ${code}`);
      await expect(logOut(server, pending)).rejects.toThrow();
      expect(await server.ended).toBe(1);
      expect(server.output()).toMatch(says);

      // It does not start on a disk that fails still.
      await expect(startServer(settings)).rejects.toThrow(says);
      rmSync(fault);
      server = await startServer(settings);
      alive.push(await logIn(server, user));
      const check = (bearer: string): Promise<{ status: number }> =>
        server.call('GET', '/v1/check', { bearer });
      for (const bearer of ended) expect((await check(bearer)).status).toBe(401);
      for (const bearer of alive) expect((await check(bearer)).status).toBe(200);
      // The logout that was under way was not answered: it may be done or not, and can be asked for again.
      expect([200, 401]).toContain((await logOut(server, pending)).status);
      expect((await check(pending)).status).toBe(401);
    }
  } finally {
    server.signal('SIGTERM');
    await server.ended;
  }
});
