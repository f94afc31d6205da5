/** The built package, on the oldest Node that it promises to run on. */
import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cookieLogin, opened, sessionTokenLogin } from '../../server/test/http/logins.ts';
import { requireService } from '../../server/test/services/require.ts';
import { ISSUER, SERVICE_KEY } from '../../server/test/support.ts';
import { openStage, type Stage } from './door.ts';

/** A Node of version 20 on the PATH. The one that runs the tests is a newer one. */
function findNode20(): string | undefined {
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    const file = join(directory, process.platform === 'win32' ? 'node.exe' : 'node');
    if (!existsSync(file)) continue;
    const version = execFileSync(file, ['-p', 'process.versions.node'], { encoding: 'utf8' });
    const [major = 0, minor = 0] = version.split('.').map(Number);
    if (major === 20 && minor >= 19) return file;
  }
  return undefined;
}

const node20 = requireService(
  'Node 20',
  findNode20(),
  'put a Node 20.19, or later of that line, on the PATH.',
);

let stage: Stage;
beforeAll(async () => {
  const root = join(import.meta.dirname, '../../..');
  execFileSync(join(root, 'node_modules/.bin/tsc'), ['-b', 'packages/verifier'], { cwd: root });
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
