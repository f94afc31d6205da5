import { setTimeout as sleep } from 'node:timers/promises';
import type { Candidate } from '../candidates/candidate.ts';
import type { Credential } from '../candidates/credential.ts';
import { Connection } from './connection.ts';
import { toWire } from './wire.ts';

const SAMPLES = 20;
/** Where a refusal may come late: a few at a time, because the benchmark waits for each. */
const LATE_SAMPLES = 4;
const PAUSE_MS = 20;

/**
 * For how long a credential is still accepted after the answer of its logout: over all samples, the latest time at which an accepted check
 * was sent, in milliseconds after the answer. 0 if the first check after the answer is refused.
 */
export async function acceptedAfterLogout(candidate: Candidate): Promise<number> {
  const { acceptsLateMs = 0 } = candidate;
  const credentials = await candidate.prepare(acceptsLateMs > 0 ? LATE_SAMPLES : SAMPLES);
  let latest = 0;
  if (acceptsLateMs > 0) {
    const all = await Promise.all(
      credentials.map((credential) => watchOne(candidate, credential, acceptsLateMs)),
    );
    return Math.max(...all);
  }
  for (const credential of credentials) latest = Math.max(latest, await watchOne(candidate, credential, 0));
  return latest;
}

async function watchOne(
  candidate: Candidate,
  credential: Credential,
  acceptsLateMs: number,
): Promise<number> {
  const checks = new Connection(candidate.port, { body: true });
  const logouts = new Connection(candidate.logoutPort ?? candidate.port);
  try {
    await Promise.all([checks.open(), logouts.open()]);
    const check = toWire(credential.check, candidate.port);
    const accepts = async (): Promise<boolean> => {
      const answer = await checks.ask(check);
      if (candidate.refuses(answer)) return false;
      if (answer.status === 200) return true;
      throw new Error(`${candidate.id} answered a check with ${answer.status}`);
    };
    if (!(await accepts())) throw new Error(`${candidate.id} refuses a fresh session`);
    const { status } = await logouts.ask(toWire(credential.logout, candidate.logoutPort ?? candidate.port));
    if (status < 200 || status > 299) throw new Error(`${candidate.id} answered a logout with ${status}`);
    const answeredAt = performance.now();
    const giveUp = answeredAt + 2 * acceptsLateMs + 2000;
    let latest = 0;
    for (;;) {
      const sentAt = performance.now();
      if (!(await accepts())) return latest;
      latest = sentAt - answeredAt;
      if (sentAt > giveUp) throw new Error(`${candidate.id} still accepts a logged-out session`);
      if (latest > 100) await sleep(PAUSE_MS);
    }
  } finally {
    checks.close();
    logouts.close();
  }
}
