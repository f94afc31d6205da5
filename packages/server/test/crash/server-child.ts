/** The server as its own process, to be stopped, continued and killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { compileCache, NODE_FLAGS } from '../services/scratch.ts';
import { type Caller, callerOf, ISSUER, SERVICE_KEY } from '../support.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export interface ServerChild {
  readonly url: string;
  readonly pid: number;
  readonly call: Caller;
  /** Its output, both streams. */
  output: () => string;
  /** The exit code or the signal once it has ended. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  signal: (name: NodeJS.Signals) => void;
}

/** Starts `curfew serve` on a free port and waits until it listens. */
export function startServer(settings: Record<string, string>): Promise<ServerChild> {
  const child: ChildProcess = spawn(
    process.execPath,
    [...NODE_FLAGS, '--disable-warning=ExperimentalWarning', MAIN, 'serve'],
    {
      env: {
        PATH: process.env['PATH'],
        PORT: '0',
        ...compileCache(),
        LOG_LEVEL: 'info',
        // The default names the port, and that is another one at each start.
        CURFEW_ISSUER: ISSUER,
        CURFEW_SERVICE_KEYS: SERVICE_KEY,
        // Signed tokens outlive the test, so that only a logout can end them.
        CURFEW_ACCESS_TOKEN_SECONDS: '3600',
        CURFEW_DEMO_ACCOUNTS: '0',
        CURFEW_EMBEDDED_FSYNC: '0',
        ...settings,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.once('exit', (code, by) => resolve(code ?? by));
  });
  return new Promise((resolve, reject) => {
    let output = '';
    let ready = false;
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`the server did not listen within 90 s\n${output}`));
    }, 90_000);
    void ended.then((how) => {
      clearTimeout(timer);
      if (!ready) reject(new Error(`the server ended (${how})\n${output}`));
    });
    const onData = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-20_000);
      if (ready) return;
      const url = /"url":"(http:[^"]+)"[^\n]*"listening"/.exec(output)?.[1];
      if (url === undefined || child.pid === undefined) return;
      ready = true;
      clearTimeout(timer);
      resolve({
        url,
        pid: child.pid,
        call: callerOf((request) => fetch(request), url),
        output: () => output,
        ended,
        signal: (name) => void child.kill(name),
      });
    };
    child.stdout?.on('data', onData);
    child.stderr?.on('data', onData);
  });
}
