import { createPublicKey, verify as verifySignature, type JsonWebKey, type KeyObject } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createVerifier, type Verified, type Verifier } from '@curfew/verifier';
import { cpuSeconds } from '../machine/foreign-load.ts';
import { type FloorPlan, type LogoutPlan, runFloor, runLogouts } from './logouts.ts';

/** The requests to a process with many verifiers. Each is a real verifier with a connection of its own. */
export type Job =
  | { kind: 'open'; authorities: string[]; serviceKey: string; audience: string; count: number }
  | { kind: 'close' }
  /** Checks every text at some of the verifiers; answers how often it was accepted. */
  | { kind: 'check'; texts: string[]; verifiers: number }
  | { kind: 'state' }
  | { kind: 'logouts'; plan: LogoutPlan }
  | { kind: 'floor'; plan: FloorPlan }
  | { kind: 'hot'; plan: HotPlan }
  | { kind: 'cold'; plan: ColdPlan };

export interface State {
  verifiers: number;
  fresh: number;
  cpuSeconds: number;
}

export interface HotPlan {
  texts: string[];
  way: 'verifyNow' | 'verify' | 'map';
  seconds: number;
}

export interface HotResult {
  perSecond: number;
  checks: number;
  refused: number;
  /** Checks that memory could not answer, because the process or its node was suspended for a lease. */
  unsure: number;
}

export interface ColdPlan {
  texts: string[];
  way: 'verify' | 'signature';
  /** The authority's public keys, for the bare signature. */
  jwks: JsonWebKey[];
}

/** Makes the strings for so many checks at a time, outside the timed part. */
const BATCH = 1000;
const PREFIX = 'Bearer ';
/** As many as a server has requests under way. */
const AT_ONCE = 16;

let verifiers: Verifier[] = [];

async function open({
  authorities,
  serviceKey,
  audience,
  count,
}: Job & { kind: 'open' }): Promise<{ ready: number }> {
  verifiers = Array.from({ length: count }, (_, i) =>
    createVerifier({ authority: authorities[i % authorities.length] as string, serviceKey, audience }),
  );
  const ready = await Promise.all(verifiers.map((verifier) => verifier.ready(60_000)));
  return { ready: ready.filter(Boolean).length };
}

async function close(): Promise<object> {
  await Promise.all(verifiers.map((verifier) => verifier.close()));
  verifiers = [];
  return {};
}

async function check(texts: string[], count: number): Promise<{ accepted: number; asked: number }> {
  let accepted = 0;
  let asked = 0;
  for (const verifier of spread(count))
    for (const text of texts) {
      asked += 1;
      if ((await verifier.verify(text)).ok) accepted += 1;
    }
  return { accepted, asked };
}

/** Some of the verifiers, from all over the list. */
function spread(count: number): Verifier[] {
  const step = Math.max(1, Math.floor(verifiers.length / count));
  return verifiers.filter((_, i) => i % step === 0).slice(0, count);
}

function first(): Verifier {
  const [verifier] = verifiers;
  if (verifier === undefined) throw new Error('no verifier is open');
  return verifier;
}

/**
 * The strings are new for every check, and the timed part cuts them out of a header's value, as it is with HTTP. So nothing helps that a
 * string has computed before (its hash, or that it is the very same object).
 */
async function hot({ texts, way, seconds }: HotPlan): Promise<HotResult> {
  const verifier = first();
  const bytes = texts.map((text) => Buffer.from(PREFIX + text, 'latin1'));
  const map = new Map(texts.map((text) => [text, true]));
  for (const text of texts)
    if (way !== 'map' && !(await verifier.verify(text)).ok)
      throw new Error('a live session is refused by the verifier');
  const result: HotResult = { perSecond: 0, checks: 0, refused: 0, unsure: 0 };
  let spentMs = 0;
  let next = 0;
  const count = (verified: Verified | null): void => {
    if (verified === null) result.unsure += 1;
    else if (!verified.ok) result.refused += 1;
  };
  const headers = Array.from({ length: BATCH }, () => '');
  const run = async (untilMs: number): Promise<void> => {
    while (spentMs < untilMs) {
      for (let i = 0; i < BATCH; i += 1)
        headers[i] = (bytes[next++ % bytes.length] as Buffer).toString('latin1');
      const start = performance.now();
      if (way === 'verifyNow')
        for (const header of headers) count(verifier.verifyNow(header.slice(PREFIX.length)));
      else if (way === 'verify')
        for (const header of headers) count(await verifier.verify(header.slice(PREFIX.length)));
      else
        for (const header of headers)
          if (map.get(header.slice(PREFIX.length)) === undefined) result.refused += 1;
      spentMs += performance.now() - start;
      result.checks += BATCH;
      // The connection to the authority is in this process as well.
      await nextTurn();
    }
  };
  // The first pass warms up the compiler.
  await run(200);
  spentMs = 0;
  result.checks = 0;
  await run(seconds * 1000);
  result.perSecond = (result.checks - result.unsure) / (spentMs / 1000);
  return result;
}

/** Each text once. `signature`: the cost of computing the bare signatures, one after the other. */
async function cold({ texts, way, jwks }: ColdPlan): Promise<HotResult> {
  const result: HotResult = { perSecond: 0, checks: texts.length, refused: 0, unsure: 0 };
  const key = createPublicKey({ key: jwks[0] ?? {}, format: 'jwk' });
  const start = performance.now();
  if (way === 'signature') {
    for (const text of texts) if (!isSigned(text, key)) result.refused += 1;
  } else {
    const verifier = first();
    let next = 0;
    const work = async (): Promise<void> => {
      for (let text = texts[next++]; text !== undefined; text = texts[next++])
        if (!(await verifier.verify(text)).ok) result.refused += 1;
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }
  result.perSecond = texts.length / ((performance.now() - start) / 1000);
  return result;
}

function isSigned(text: string, key: KeyObject): boolean {
  const dot = text.lastIndexOf('.');
  const signature = Buffer.from(text.slice(dot + 1), 'base64url');
  return verifySignature(null, Buffer.from(text.slice(0, dot)), key, signature);
}

async function run(job: Job): Promise<unknown> {
  switch (job.kind) {
    case 'open':
      return open(job);
    case 'close':
      return close();
    case 'check':
      return check(job.texts, job.verifiers);
    case 'state': {
      const fresh = verifiers.filter(({ freshness }) => freshness.state === 'fresh').length;
      return { verifiers: verifiers.length, fresh, cpuSeconds: cpuSeconds(process.pid) } satisfies State;
    }
    case 'logouts':
      return runLogouts(job.plan, verifiers);
    case 'floor':
      return runFloor(job.plan);
    case 'hot':
      return hot(job.plan);
    case 'cold':
      return cold(job.plan);
  }
}

process.on('message', (job: Job) => {
  run(job).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ error: error instanceof Error ? error.message : String(error) }),
  );
});
process.on('disconnect', () => process.exit());
process.send?.({ ready: true });
