import { fileURLToPath } from 'node:url';
import { freePort, request, startNode } from '../machine/children.ts';
import { SERVER_CORE } from '../machine/cores.ts';
import { refusesBy401, type Candidate } from './candidate.ts';
import type { Credential } from './credential.ts';

interface ChildServer {
  id: string;
  label: string;
  kind: 'floor' | 'peer';
  durable: boolean;
  /** Path of the server's source, from the folder of the benchmark. */
  script: string;
  env: Record<string, string>;
  refuses?: Candidate['refuses'];
  acceptsLateMs?: number;
}

/** A floor or a peer: a server of this folder, which makes its credentials itself and sends them over the process channel. */
export async function startChildServer(server: ChildServer): Promise<Candidate> {
  const port = await freePort();
  const script = fileURLToPath(new URL(`../${server.script}`, import.meta.url));
  const child = await startNode(['--no-warnings', script], {
    core: SERVER_CORE,
    env: { ...server.env, PORT: String(port), NODE_ENV: 'production' },
    waitForReady: true,
  });
  return {
    id: server.id,
    label: server.label,
    kind: server.kind,
    durable: server.durable,
    ...(server.acceptsLateMs === undefined ? {} : { acceptsLateMs: server.acceptsLateMs }),
    port,
    pid: child.pid,
    prepare: (count) => request<Credential[]>(child, { prepare: count }),
    refuses: server.refuses ?? refusesBy401,
  };
}
