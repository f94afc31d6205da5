import { Connection, type Answer } from '../load/connection.ts';
import { toWire, type WireRequest } from '../load/wire.ts';
import type { Credential } from './credential.ts';

/** A server that answers "is this session alive?" and "log me out" over HTTP, started and ready. */
export interface Candidate {
  /** Stable name in the JSON results. */
  id: string;
  /** What the table says. */
  label: string;
  kind: 'floor' | 'curfew' | 'peer';
  /** Whether a logout survives a power cut once it is answered. */
  durable: boolean;
  port: number;
  pid: number;
  /** The server that logs its sessions out, if that is another one: a protected back end only checks. */
  logoutPort?: number;
  /** For how long it may accept a logged-out credential, by its own documentation. */
  acceptsLateMs?: number;
  /** Fresh sessions, each good for any number of checks and for one logout. */
  prepare(count: number): Promise<Credential[]>;
  /** Whether a check's answer means "no". */
  refuses(answer: Answer): boolean;
}

export function refusesBy401(answer: Answer): boolean {
  return answer.status === 401;
}

/** Asks once, outside any measurement. */
export async function askOnce(port: number, request: WireRequest): Promise<Answer> {
  const connection = new Connection(port, { body: true });
  await connection.open();
  try {
    return await connection.ask(toWire(request, port));
  } finally {
    connection.close();
  }
}

/** Whether the candidate accepts the session; an answer that is neither yes nor no is an error. */
export async function isAccepted(candidate: Candidate, credential: Credential): Promise<boolean> {
  const answer = await askOnce(candidate.port, credential.check);
  if (candidate.refuses(answer)) return false;
  if (answer.status === 200) return true;
  throw new Error(`${candidate.id} answered a check with ${answer.status}: ${answer.body.slice(0, 200)}`);
}

/** Proves on one session that the candidate really checks and really logs out. The figures of a candidate that does not are void. */
export async function proveLogout(candidate: Candidate): Promise<void> {
  const [ended, other] = await candidate.prepare(2);
  if (ended === undefined || other === undefined) throw new Error(`${candidate.id} made no sessions`);
  if (!(await isAccepted(candidate, ended))) throw new Error(`${candidate.id} refuses a fresh session`);
  const { status, body } = await askOnce(candidate.logoutPort ?? candidate.port, ended.logout);
  if (status < 200 || status > 299)
    throw new Error(`${candidate.id} answered a logout with ${status}: ${body}`);
  if (candidate.acceptsLateMs === undefined && (await isAccepted(candidate, ended)))
    throw new Error(`${candidate.id} accepts a session after its logout`);
  if (!(await isAccepted(candidate, other)))
    throw new Error(`${candidate.id} ended a session that nobody ended`);
}
