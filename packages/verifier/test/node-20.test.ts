/** The built package, on the oldest Node that it promises to run on. */
import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cookieLogin, opened, sessionTokenLogin } from '../../server/test/http/logins.ts';
import { findNode20 } from '../../server/test/services/node-20.ts';
import { ISSUER, SERVICE_KEY } from '../../server/test/support.ts';
import { writeDist } from '../../../tools/build/inline.ts';
import { openStage, type Stage } from './door.ts';

const node20 = findNode20();

let stage: Stage;
beforeAll(async () => {
  const root = join(import.meta.dirname, '../../..');
  execFileSync(join(root, 'node_modules/.bin/tsc'), ['-b', 'packages/verifier'], { cwd: root });
  writeDist('verifier', join(root, 'packages'));
  stage = await openStage({
    CURFEW_CLIENTS: JSON.stringify({ es: { algorithm: 'ES256' }, rs: { algorithm: 'RS256' } }),
  });
});
afterAll(() => stage?.close());

/** The run's own Node is tested too: most users will have it. */
test.each([
  ['Node 20', node20],
  ['this Node', process.execPath],
])('%s', async (name, execPath) => {
  if (execPath === undefined) return;
  const child = fork(join(import.meta.dirname, 'built.mjs'), [stage.door.url, SERVICE_KEY, ISSUER], {
    execPath,
    execArgv: [],
    env: { PATH: process.env['PATH'] },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = once(child, 'exit').then(() => Promise.reject(new Error(`it has ended\n${output}`)));
  ended.catch(() => undefined); // It ends in any case; only who waits for an answer minds.
  const next = async (): Promise<unknown> =>
    ((await Promise.race([once(child, 'message'), ended])) as [unknown])[0];
  const ask = (credential: string | null): Promise<unknown> => {
    const answer = next();
    child.send(credential as string);
    return answer;
  };
  try {
    const said = (await next()) as { node: string };
    expect(said).toMatchObject({ ready: true, built: true, required: true });
    if (name === 'Node 20') expect(said.node).toMatch(/^20\./);
    const tokens = await Promise.all(
      ['default', 'es', 'rs'].map((client_id) => opened(stage.call, 2, { client_id })),
    );
    for (const { bearer, sid } of tokens)
      expect(await ask(bearer)).toMatchObject({ ok: true, by: 'memory', session: { sid } });
    for (const opaque of [await sessionTokenLogin(stage.call), (await cookieLogin(stage.call)).cookie]) {
      expect(await ask(opaque)).toMatchObject({ ok: true, by: 'authority' });
      expect(await ask(opaque)).toMatchObject({ ok: true, by: 'memory' });
    }
    const [first] = tokens;
    await stage.call('POST', '/v1/logout', { bearer: first?.bearer ?? '', body: { scope: 'all' } });
    for (const { bearer } of tokens) expect(await ask(bearer)).toEqual({ ok: false, reason: 'ended' });
    const exit = once(child, 'exit');
    expect(await ask(null)).toEqual({ ok: false, reason: 'no_credential' });
    expect(await exit).toEqual([0, null]);
    expect(output).toBe('');
  } finally {
    child.kill('SIGKILL');
  }
});
