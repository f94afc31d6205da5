import { parseArgs } from 'node:util';

const SECTION_IDS = [
  'check',
  'local',
  'first-sight',
  'logout',
  'logout-all',
  'login',
  'embedded',
  'refresh',
  'overload',
  'propagation',
  'listening',
  'idle-feeds',
  'notices',
  'anonymous',
] as const;
export type SectionId = (typeof SECTION_IDS)[number];

export interface Options {
  quick: boolean;
  sections: SectionId[];
  peers: boolean;
  curfew: boolean;
  rounds: number;
  /** The most time for repeating disturbed rounds, so that the run ends in bounded time. */
  repeatSeconds: number;
  /** A candidate may still work after its last answer. That must not disturb the round of the next one. */
  settleMs: number;
  /** The users who have the sessions, and one user for each watched logout of a round. */
  users: number;
  /** Whole seconds, because wrk counts in them. The warm-up must be longer than the compiler needs: peers become twice as fast in it. */
  warmUpSeconds: number;
  rewarmSeconds: number;
  checkSeconds: number;
  singleUseSeconds: number;
  loginSeconds: number;
  overloadSeconds: number;
  /** Samples per round of a logout watched from outside, and of one that ends 1,000 sessions. */
  effectSamples: number;
  thousandSamples: number;
  /** Checks in the verifier's own process. */
  localSeconds: number;
  coldTokens: number;
  /** Ended ids in the replica that is measured alone. */
  replicaEntries: number;
  /** Logouts per round that wait for their propagation. Half as many do not wait. */
  propagationSamples: number;
  idleSeconds: number;
  /** Logouts for whose notices the benchmark waits. */
  noticeSamples: number;
}

const USAGE = `npm run bench -- [--quick] [--only ${SECTION_IDS.join(',')}] [--no-peers] [--no-curfew]`;

export function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      'no-peers': { type: 'boolean', default: false },
      'no-curfew': { type: 'boolean', default: false },
    },
  });
  const wanted = values.only?.split(',');
  const unknown = wanted?.find((name) => !SECTION_IDS.includes(name as SectionId));
  if (unknown !== undefined) throw new Error(`--only: no section "${unknown}". ${USAGE}`);
  const quick = values.quick;
  return {
    quick,
    // The section `first-sight` takes long to prepare, so a quick run measures it only on request.
    sections: SECTION_IDS.filter((id) => wanted?.includes(id) ?? !(quick && id === 'first-sight')),
    peers: !values['no-peers'],
    curfew: !values['no-curfew'],
    rounds: 3,
    repeatSeconds: quick ? 10 : 60,
    settleMs: quick ? 100 : 250,
    users: quick ? 30 : 100,
    warmUpSeconds: quick ? 2 : 5,
    rewarmSeconds: quick ? 0 : 1,
    checkSeconds: quick ? 1 : 4,
    singleUseSeconds: quick ? 0.5 : 2.5,
    loginSeconds: quick ? 1 : 4,
    overloadSeconds: quick ? 1.5 : 6,
    effectSamples: quick ? 30 : 100,
    thousandSamples: quick ? 5 : 30,
    localSeconds: quick ? 0.3 : 1,
    coldTokens: quick ? 1000 : 5000,
    replicaEntries: quick ? 1_000_000 : 10_000_000,
    propagationSamples: quick ? 40 : 200,
    idleSeconds: quick ? 4 : 20,
    noticeSamples: quick ? 300 : 1000,
  };
}

/** Only a complete full run is published. */
export function isPublishable(options: Options): boolean {
  return !options.quick && options.peers && options.curfew && options.sections.length === SECTION_IDS.length;
}
