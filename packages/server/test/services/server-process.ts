/** Starts a server program and waits for the line that says that it is ready. */
import { type ChildProcess, spawn } from 'node:child_process';

interface ServerProgram {
  command: string;
  args: string[];
  /** The output that means "connect now". */
  ready: string;
  user: { uid: number; gid: number } | undefined;
}

/** Resolves once the program is ready. Rejects with its last output when it ends or stays silent for 30 seconds. */
export function launch(program: ServerProgram): Promise<ChildProcess & { pid: number }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program.command, program.args, {
      ...program.user,
      cwd: '/',
      env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' },
      stdio: ['ignore', 'pipe', 'pipe'],
      // Ctrl-C in the terminal is for the test runner, which then stops the servers in order.
      detached: true,
    });
    let output = '';
    const fail = (reason: string): void => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      reject(new Error(`${program.command} ${reason}\n${output}`));
    };
    const timer = setTimeout(() => fail('did not get ready within 90 s'), 90_000);
    const onEnd = (code: number | null, by: NodeJS.Signals | null): void => fail(`ended (${code ?? by})`);
    const onData = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-8_000);
      if (!output.includes(program.ready)) return;
      clearTimeout(timer);
      child.off('exit', onEnd);
      for (const stream of [child.stdout, child.stderr]) {
        // Read on, so that the pipe never fills, but do not keep the process waiting for the server.
        stream.removeAllListeners('data').resume();
        (stream as unknown as { unref(): void }).unref();
      }
      child.unref();
      resolve(child as ChildProcess & { pid: number });
    };
    child.once('error', (error) => fail(error.message));
    child.once('exit', onEnd);
    child.stdout.on('data', onData);
    child.stderr.on('data', onData);
  });
}
