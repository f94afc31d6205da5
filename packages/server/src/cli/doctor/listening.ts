import { createServer } from 'node:net';
import type { Config } from '../../config.ts';
import { explain } from '../explain.ts';
import type { Findings } from './findings.ts';

const PING_MS = 3000;

/** Whether the server could listen at its address, or one does already. */
export async function checkListening(config: Config, findings: Findings): Promise<void> {
  const { host, port } = config;
  if (port === 0) {
    findings.ok('PORT', 'the server takes a free port when it starts.');
    return;
  }
  const failure = await tryToListen(host, port);
  if (failure === null) findings.ok('PORT', `${port} is free on ${host}.`);
  else if ('code' in failure && failure.code === 'EADDRINUSE' && (await isCurfew(host, port)))
    findings.ok('PORT', `${port} is in use by a Curfew server, which answers.`);
  else findings.problem('PORT', explain(failure).sentence);
}

function tryToListen(host: string, port: number): Promise<Error | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', resolve);
    server.listen(port, host, () => server.close(() => resolve(null)));
  });
}

async function isCurfew(host: string, port: number): Promise<boolean> {
  const name =
    host === '0.0.0.0' ? '127.0.0.1' : host.includes(':') ? `[${host === '::' ? '::1' : host}]` : host;
  try {
    const response = await fetch(`http://${name}:${port}/healthz`, { signal: AbortSignal.timeout(PING_MS) });
    return response.ok && ((await response.json()) as { status?: unknown }).status === 'ok';
  } catch {
    // Not HTTP, or not in time: another program.
    return false;
  }
}
