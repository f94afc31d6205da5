/** The README's program, with another address and key. */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { opened } from '../../server/test/http/logins.ts';
import { compileCache } from '../../server/test/services/scratch.ts';
import { ISSUER, SERVICE_KEY } from '../../server/test/support.ts';
import { openStage, type Stage } from './door.ts';

const package_ = join(import.meta.dirname, '..');
let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

test('the program says whether a session is alive', async () => {
  const readme = readFileSync(join(package_, 'README.md'), 'utf8');
  const block = /^```ts run\n([\s\S]*?)^```$/m.exec(readme)?.[1] ?? '';
  const program = block
    .replace(`authority: '${ISSUER}'`, `authority: '${stage.door.url}'`)
    .replace('an API key with the scope verify: curfew_ck_…', SERVICE_KEY);
  expect(program).toContain(stage.door.url);
  expect(program).toContain(SERVICE_KEY);
  // Inside the package, so that its imports are found.
  const directory = join(package_, 'node_modules', '.cache', `readme-${process.pid}`);
  mkdirSync(directory, { recursive: true });
  const file = join(directory, 'program.mjs');
  writeFileSync(file, program);
  const run = async (...credential: string[]): Promise<string> => {
    const args = ['--conditions=curfew-source', file, ...credential];
    const env = { PATH: process.env['PATH'], ...compileCache() };
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { env });
    return stdout + stderr;
  };
  try {
    const { bearer } = await opened(stage.call, 2);
    expect(await run(bearer)).toBe('alive: user 2\n');
    await stage.call('POST', '/v1/logout', { bearer, body: { scope: 'this' } });
    expect(await run(bearer)).toBe('refused: ended\n');
    expect(await run()).toBe('refused: no_credential\n');
  } finally {
    rmSync(directory, { recursive: true });
  }
});
