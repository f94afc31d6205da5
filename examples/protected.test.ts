import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { opened } from '../packages/server/test/http/logins.ts';
import { openStage, type Stage } from '../packages/verifier/test/door.ts';
import { type Example, startProtected } from './started.ts';

const files = ['protected-express.ts', 'protected-fastify.ts', 'protected-hono.ts', 'protected-fetch.ts'];

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

describe.each(files)('examples/%s', (file) => {
  let example: Example;
  beforeAll(async () => {
    example = await startProtected(file, stage.door.url);
  }, 60_000);
  afterAll(() => void example?.child.kill('SIGKILL'));

  const ask = (path: string, token?: string, method = 'GET'): Promise<Response> =>
    fetch(example.url + path, {
      method,
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    });

  test('the example has fewer than 40 lines', () => {
    const lines = readFileSync(join(import.meta.dirname, file), 'utf8')
      .trimEnd()
      .split('\n');
    expect(lines.length).toBeLessThan(40);
  });

  test('a live session is admitted, and refused once its logout has answered', async () => {
    const { bearer } = await opened(stage.call, 2);
    const hello = await ask('/hello', bearer);
    expect([hello.status, await hello.json()]).toEqual([200, { hello: '2' }]);
    const paid = await ask('/payments', bearer, 'POST');
    expect([paid.status, await paid.json()]).toEqual([201, { paid_by: '2' }]);
    const { json } = await stage.call('POST', '/v1/logout', { bearer, body: { scope: 'all' } });
    expect(json).toMatchObject({ confirmed: true });
    expect((await ask('/hello', bearer)).status).toBe(401);
    expect((await ask('/payments', bearer, 'POST')).status).toBe(401);
    expect((await ask('/hello')).status).toBe(401);
    expect(await (await ask('/metrics')).text()).toContain('curfew_verifier_fresh 1');
    expect((await ask('/nothing', bearer)).status).toBe(file.includes('express') ? 401 : 404);
  });

  test('SIGTERM stops the program', async () => {
    const exit = once(example.child, 'exit');
    example.child.kill('SIGTERM');
    expect(await exit).toEqual([0, null]);
    expect(example.output()).toBe('');
  });
});
