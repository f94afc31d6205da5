import type { Bench } from '../bench.ts';
import { isAccepted, type Candidate } from '../candidates/candidate.ts';
import type { Credential } from '../candidates/credential.ts';
import { toWire, type WireRequest } from '../load/wire.ts';
import type { Entry, Measured } from '../rounds.ts';
import { describeErrors } from './error-text.ts';

/** The largest stock at any rate, because making the credentials takes time too. */
const LARGEST_STOCK = 30_000;
const WARM_UP_REQUESTS = 1500;

interface SingleUsePlan {
  port: number;
  connections: number;
  seconds: number;
  makeRequests(count: number): Promise<WireRequest[]>;
}

/**
 * Load that uses up a credential with every request. The stock is made before the timed part. The rate of the warm-up, or of the round
 * before, decides how large it is.
 */
export function singleUse(
  bench: Bench,
  plan: SingleUsePlan,
): (timed: Parameters<Entry['measure']>[0]) => Promise<Measured> {
  let expectedPerSecond = 0;
  const run = async (count: number, seconds: number, timed: Parameters<Entry['measure']>[0]) => {
    const requests = (await plan.makeRequests(count)).map((request) => toWire(request, plan.port));
    await bench.services.checkpoint();
    const { port, connections } = plan;
    return timed(() => bench.generator.closedLoop({ port, connections, seconds, requests, repeat: false }));
  };
  return async (timed) => {
    if (expectedPerSecond === 0) {
      const warmUp = await run(WARM_UP_REQUESTS, 1, (work) => work());
      expectedPerSecond = warmUp.perSecond * 1.3;
    }
    const stock = Math.min(LARGEST_STOCK, Math.ceil(expectedPerSecond * plan.seconds * 1.2) + 100);
    const { perSecond, p50, p99, answered, errors } = await run(stock, plan.seconds, timed);
    expectedPerSecond = perSecond;
    return { values: { perSecond, p50, p99, answered }, problems: describeErrors(errors) };
  };
}

/** Logouts of one session each, and the proof afterwards that they were logouts. */
export function logoutEntry(
  bench: Bench,
  candidate: Candidate,
  { connections, seconds }: { connections: number; seconds: number },
): Entry {
  let stock: Credential[] = [];
  const measureLogouts = singleUse(bench, {
    port: candidate.port,
    connections,
    seconds,
    makeRequests: async (count) => {
      stock = await candidate.prepare(count);
      return stock.map(({ logout }) => logout);
    },
  });
  return {
    id: candidate.id,
    label: candidate.label,
    kind: candidate.kind,
    durable: candidate.durable,
    measure: async (timed) => {
      const { values, problems } = await measureLogouts(timed);
      if (candidate.id !== 'floor-http' && problems.length === 0) {
        problems.push(...(await stillAccepted(candidate, stock, values['answered'] ?? 0)));
      }
      return { values, problems };
    },
  };
}

/** A sample of all logged-out credentials. The candidate must refuse each. */
async function stillAccepted(candidate: Candidate, stock: Credential[], used: number): Promise<string[]> {
  const step = Math.max(1, Math.floor(used / 20));
  let accepted = 0;
  for (let i = 0; i < used; i += step) {
    const credential = stock[i];
    if (credential !== undefined && (await isAccepted(candidate, credential))) accepted += 1;
  }
  return accepted === 0
    ? []
    : [`${accepted} of ${Math.ceil(used / step)} sessions accepted after their logout`];
}
