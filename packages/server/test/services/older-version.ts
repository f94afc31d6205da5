/** The version before this one, from the history of the repository: its server and its verifier, as processes. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileCache, makeFileScratch, NODE_FLAGS } from './scratch.ts';

/** The last commit that spoke version 1 of the feed. */
const COMMIT = '77f5ee0da05f3b629ee910eb58dea75a60648f9e';
export const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));

/** Whether the repository has that commit. A shallow clone lacks it. */
export function hasOlderVersion(): boolean {
  try {
    execFileSync('git', ['cat-file', '-e', `${COMMIT}^{commit}`], { cwd: ROOT, stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Puts its packages into a directory of their own, with the dependencies of this version. */
export function checkOutOlderVersion(): string {
  const directory = makeFileScratch('older');
  const archive = execFileSync('git', ['archive', COMMIT, 'packages'], { cwd: ROOT, maxBuffer: 2 ** 28 });
  execFileSync('tar', ['-x', '-C', directory], { input: archive });
  const modules = join(directory, 'node_modules');
  mkdirSync(join(modules, '@curfew'), { recursive: true });
  for (const name of readdirSync(join(ROOT, 'node_modules')))
    if (name !== '@curfew') symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
  for (const name of ['protocol', 'server', 'verifier', 'client'])
    symlinkSync(join(directory, 'packages', name), join(modules, '@curfew', name));
  cpSync(join(ROOT, 'packages/server/assets'), join(directory, 'packages/server/assets'), {
    recursive: true,
  });
  writeFileSync(join(directory, 'back-end.mjs'), BACK_END);
  return directory;
}

const BACK_END = `import { createVerifier } from '@curfew/verifier';
const [authority, serviceKey, audience] = process.argv.slice(2);
const verifier = createVerifier({ authority, serviceKey, audience, log: () => undefined });
process.on('message', async ({ id, credential }) => {
  if (credential === null) return process.send({ id, answer: verifier.freshness });
  process.send({ id, answer: await verifier.verify(credential) });
});
process.once('disconnect', () => process.exit());
process.send({ id: 0, answer: await verifier.ready(60_000) });
`;

const children = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

function started(child: ChildProcess): ChildProcess {
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

interface ServerProcess {
  stop: () => Promise<void>;
  /** Its process stands still until it is resumed. */
  suspend: () => void;
  resume: () => void;
}

/** Starts a server of the version in this directory, and waits until it listens. @throws when it ends before */
export async function startServer(
  directory: string,
  port: number,
  settings: Record<string, string>,
): Promise<ServerProcess> {
  const main = join(directory, 'packages/server/src/main.ts');
  const child = started(
    spawn(process.execPath, [...NODE_FLAGS, main, 'serve'], {
      cwd: directory,
      env: {
        PATH: process.env['PATH'],
        ...compileCache(),
        PORT: String(port),
        HOST: '127.0.0.1',
        ...settings,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data) => (output += String(data)));
  const exited = once(child, 'exit');
  for (;;) {
    const isReady = await fetch(`http://127.0.0.1:${port}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) break;
    if (child.exitCode !== null) throw new Error(`the server has ended\n${output}`);
    await new Promise((next) => setTimeout(next, 50));
  }
  return {
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
    suspend: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
  };
}

interface OlderBackEnd {
  verify: (credential: string) => Promise<{ ok: boolean; by?: string; reason?: string }>;
  isFresh: () => Promise<boolean>;
  stop: () => void;
}

/** Starts a back end with the verifier of the version in this directory, and waits until it is fresh, or for its time. */
export async function startBackEnd(
  directory: string,
  authority: string,
  serviceKey: string,
  audience: string,
): Promise<OlderBackEnd> {
  const child = started(
    spawn(
      process.execPath,
      [...NODE_FLAGS, join(directory, 'back-end.mjs'), authority, serviceKey, audience],
      {
        cwd: directory,
        env: { PATH: process.env['PATH'], ...compileCache() },
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      },
    ),
  );
  const waiting = new Map<number, (answer: unknown) => void>();
  let ids = 0;
  const ready = new Promise((resolve) => waiting.set(0, resolve));
  child.on('message', ({ id, answer }: { id: number; answer: unknown }) => {
    waiting.get(id)?.(answer);
    waiting.delete(id);
  });
  const ask = <T>(credential: string | null): Promise<T> =>
    new Promise<T>((resolve) => {
      const id = ++ids;
      waiting.set(id, resolve as (answer: unknown) => void);
      child.send({ id, credential });
    });
  await Promise.race([
    ready,
    once(child, 'exit').then(() => {
      throw new Error('the back end has ended');
    }),
  ]);
  return {
    verify: (credential) => ask(credential),
    isFresh: async () => (await ask<{ state: string }>(null)).state === 'fresh',
    stop: () => void child.kill('SIGKILL'),
  };
}
