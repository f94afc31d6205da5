import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from '../packages/server/test/services/ports.ts';
import { compileCache } from '../packages/server/test/services/scratch.ts';
import { ISSUER, SERVICE_KEY } from '../packages/server/test/support.ts';

/** An example that runs. */
export interface Example {
  url: string;
  child: ChildProcess;
  output: () => string;
}

/** Starts a protected back end by the command in its first line, on a free port. */
export async function startProtected(file: string, authority: string): Promise<Example> {
  const port = await freePort();
  const child = spawn(process.execPath, ['--conditions=curfew-source', join(import.meta.dirname, file)], {
    env: {
      PATH: process.env['PATH'],
      PORT: String(port),
      AUTHORITY: authority,
      SERVICE_KEY,
      AUDIENCE: ISSUER,
      ...compileCache(),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await new Promise<void>((ready, fail) => {
    child.once('exit', (code) => fail(new Error(`${file} ended with ${code}\n${output}`)));
    createInterface(child.stdout).on('line', (line) => {
      if (line.startsWith('listening on ')) ready();
    });
  });
  return { url: `http://127.0.0.1:${port}`, child, output: () => output };
}
