import { fileURLToPath } from 'node:url';
import type { JsonWebKey } from 'node:crypto';
import type { Bench } from '../bench.ts';
import { askOnce, type Candidate } from '../candidates/candidate.ts';
import { CONTRACT_NAMES, type Curfew, type Transport } from '../candidates/curfew.ts';
import type { Credential } from '../candidates/credential.ts';
import { withRatios, type Section } from '../figure.ts';
import { freePort, request, startNode } from '../machine/children.ts';
import { SERVER_CORE } from '../machine/cores.ts';
import { measureInRounds, type Entry } from '../rounds.ts';
import { Crowd } from '../verifiers/crowd.ts';
import type { ReplicaFigures } from '../verifiers/replica.ts';
import type { HotPlan, HotResult } from '../verifiers/worker.ts';
import { checkEntry } from './check.ts';

const TOKENS = 1000;

/** (f) "Is this session alive?" in the process that wants to know, by the verifier library. */
export async function measureLocalChecks(bench: Bench): Promise<Section> {
  const { curfew } = bench;
  const section: Section = {
    id: 'local',
    title: 'Is this session alive? Asked in the own process',
    method:
      'One process on one core with one verifier, connected to the running authority. Every check gets a string of its own, cut out of a header; "requests" are HTTP, by the generator of `check`.',
    columns: [
      { value: 'perSecond', title: 'per s', digits: 0 },
      { value: 'p50', title: 'p50 ms', digits: 2 },
      { value: 'p99', title: 'p99 ms', digits: 2 },
      { value: 'missesPerSecond', title: 'misses per s', digits: 0 },
      { value: 'ofOneRead', title: '÷ one read of memory', digits: 2 },
      { value: 'bytesEach', title: 'bytes each', digits: 1 },
      { value: 'residentBytesEach', title: 'resident bytes each', digits: 1 },
    ],
    ratios: [
      { title: '÷ a Map', value: 'perSecond', to: 'floor-map', only: /^(now|verify)-/ },
      { title: '÷ one signature', value: 'perSecond', to: 'floor-signature', only: /^cold-/ },
      { title: '÷ node:http', value: 'perSecond', to: 'floor-http', only: /-http/ },
    ],
    figures: [],
  };
  if (curfew === undefined) return section;
  const crowd = await Crowd.start(1, SERVER_CORE);
  await crowd.open([curfew], 1);
  const guarded = await protectedServer(bench, curfew);
  try {
    section.figures = await measureInRounds(bench, [
      bareMap(bench, crowd, curfew),
      bareSignature(bench, crowd, curfew),
      ...(await hotEntries(bench, crowd, curfew)),
      coldEntry(bench, crowd, curfew, 'bearer', 'cold-jwt', 'JWTs for the first time'),
      // The text does not name its session, so the verifier asks the authority once for each.
      coldEntry(bench, crowd, curfew, 'opaque', 'cold-opaque', 'opaque tokens for the first time (asks)'),
      coldEntry(bench, crowd, curfew, 'cookie', 'cold-cookie', 'cookies for the first time (asks)'),
      checkEntry(bench, bench.floors.http),
      checkEntry(bench, guarded),
      replicaEntry(bench),
    ]);
  } finally {
    await crowd.close();
    await crowd.stop();
  }
  return withRatios(section);
}

interface HotWay {
  id: string;
  label: string;
  way: HotPlan['way'];
  texts: () => Promise<string[]>;
}

async function hotEntries(bench: Bench, crowd: Crowd, curfew: Curfew): Promise<Entry[]> {
  const of = (transport: 'bearer' | 'opaque' | 'cookie', count: number) => (): Promise<string[]> =>
    texts(curfew.candidate(transport), count);
  const ways: HotWay[] = [
    { id: 'now-jwt-1', label: 'one JWT, verifyNow', way: 'verifyNow', texts: of('bearer', 1) },
    {
      id: 'now-jwt-1000',
      label: '1,000 JWTs in turn, verifyNow',
      way: 'verifyNow',
      texts: of('bearer', TOKENS),
    },
    {
      id: 'verify-jwt-1000',
      label: '1,000 JWTs in turn, await verify',
      way: 'verify',
      texts: of('bearer', TOKENS),
    },
    {
      id: 'now-opaque-1000',
      label: '1,000 opaque tokens in turn',
      way: 'verifyNow',
      texts: of('opaque', TOKENS),
    },
    { id: 'now-cookie-1000', label: '1,000 cookies in turn', way: 'verifyNow', texts: of('cookie', TOKENS) },
    ...CONTRACT_NAMES.map(
      (contract): HotWay => ({
        id: `now-contract-${contract}`,
        label: `the credential of contract ${contract}`,
        way: 'verifyNow',
        // A login costs a password hash. Each round needs new logins, because an access token lives for minutes.
        texts: async () => [await curfew.logInThrough(contract)],
      }),
    ),
  ];
  return ways.map((way) => hotEntry(bench, crowd, curfew, way));
}

function hotEntry(
  bench: Bench,
  crowd: Crowd,
  curfew: Curfew,
  { id, label, way, texts: make }: HotWay,
): Entry {
  return {
    id,
    label: `Curfew, ${label}`,
    kind: 'curfew',
    measure: async (timed) => {
      const plan = { texts: await make(), way, seconds: bench.options.localSeconds };
      const result = await timed(() => crowd.hot(plan));
      return {
        values: { perSecond: result.perSecond, unsure: result.unsure },
        problems: [...problemsOf(result), ...(await proveRefusal(crowd, curfew))],
      };
    },
  };
}

/** A verifier that never refuses would be the fastest, so this proves that it does. */
async function proveRefusal(crowd: Crowd, curfew: Curfew): Promise<string[]> {
  const jwt = curfew.candidate('bearer');
  const [ended, other] = await jwt.prepare(2);
  if (ended === undefined || other === undefined) throw new Error('no sessions were made');
  const both = [textOf(ended), textOf(other)];
  if ((await crowd.accepted(both, 1)) !== 2) return ['a live session is refused by the verifier'];
  const { status } = await askOnce(curfew.port, ended.logout);
  if (status !== 200) return [`a logout answered ${status}`];
  const left = await crowd.accepted(both, 1);
  return left === 1 ? [] : [`${left} of 2 sessions are accepted after the logout of one`];
}

/** The minimum for recognising a token: its whole text as the key of a Map, without a look at the endings. */
function bareMap(bench: Bench, crowd: Crowd, curfew: Curfew): Entry {
  return {
    id: 'floor-map',
    label: 'floor: a Map of 1,000 texts, nothing else',
    kind: 'floor',
    measure: async (timed) => {
      const plan: HotPlan = {
        texts: await texts(curfew.candidate('bearer'), TOKENS),
        way: 'map',
        seconds: bench.options.localSeconds,
      };
      const result = await timed(() => crowd.hot(plan));
      return { values: { perSecond: result.perSecond }, problems: problemsOf(result) };
    },
  };
}

function bareSignature(bench: Bench, crowd: Crowd, curfew: Curfew): Entry {
  return {
    id: 'floor-signature',
    label: 'floor: one Ed25519 signature by node:crypto',
    kind: 'floor',
    measure: async (timed) => {
      const plan = {
        texts: await texts(curfew.candidate('bearer'), Math.ceil(bench.options.coldTokens / 2)),
        way: 'signature' as const,
        jwks: await publicKeys(curfew),
      };
      const result = await timed(() => crowd.cold(plan));
      return { values: { perSecond: result.perSecond }, problems: problemsOf(result) };
    },
  };
}

/** Credentials that the verifier has never seen. */
function coldEntry(
  bench: Bench,
  crowd: Crowd,
  curfew: Curfew,
  transport: Transport,
  id: string,
  label: string,
): Entry {
  return {
    id,
    label: `Curfew, ${label}, await verify`,
    kind: 'curfew',
    measure: async (timed) => {
      const plan = {
        texts: await texts(curfew.candidate(transport), bench.options.coldTokens),
        way: 'verify' as const,
        jwks: await publicKeys(curfew),
      };
      const result = await timed(() => crowd.cold(plan));
      return { values: { perSecond: result.perSecond }, problems: problemsOf(result) };
    },
  };
}

/** A back end behind the guard, under the same load as the authority in `check`. */
async function protectedServer(bench: Bench, curfew: Curfew): Promise<Candidate> {
  const port = await freePort();
  const script = fileURLToPath(new URL('../verifiers/protected-server.ts', import.meta.url));
  const child = await startNode(['--conditions=curfew-source', script], {
    core: SERVER_CORE,
    env: {
      PORT: String(port),
      AUTHORITY: `http://127.0.0.1:${curfew.port}`,
      SERVICE_KEY: curfew.serviceKey,
      AUDIENCE: curfew.issuer,
      NODE_ENV: 'production',
    },
    waitForReady: true,
  });
  const jwt = curfew.candidate('bearer');
  bench.say('  a back end with the guard is up');
  return {
    ...jwt,
    id: 'guarded-http-jwt',
    label: 'Curfew, node:http behind the guard, requests',
    port,
    pid: child.pid,
    logoutPort: curfew.port,
  };
}

function replicaEntry(bench: Bench): Entry {
  const entries = bench.options.replicaEntries;
  return {
    id: 'replica',
    label: `the replica: ${entries.toLocaleString('en')} ended ids, looked up`,
    kind: 'curfew',
    measure: async (timed) => {
      const script = fileURLToPath(new URL('../verifiers/replica.ts', import.meta.url));
      const child = await startNode(['--conditions=curfew-source', '--expose-gc', script], {
        core: SERVER_CORE,
        waitForReady: true,
      });
      try {
        const figures = await timed(() => request<ReplicaFigures>(child, { entries }));
        const { hitsPerSecond, missesPerSecond, bytesEach, residentBytesEach, addsPerSecond } = figures;
        // A lookup in so much memory mostly waits for the memory, so the ratio is easier to compare between machines than the rate.
        const ofOneRead = hitsPerSecond / figures.readsPerSecond;
        return {
          values: {
            perSecond: hitsPerSecond,
            missesPerSecond,
            ofOneRead,
            bytesEach,
            residentBytesEach,
            addsPerSecond,
          },
          problems: figures.problems,
        };
      } finally {
        await child.stop();
      }
    },
  };
}

function problemsOf({ refused, unsure, checks }: HotResult): string[] {
  return [
    ...(refused > 0 ? [`${refused} live sessions were refused`] : []),
    // If the machine suspends a process for a lease, the verifier asks a node. That must be rare, or the figure does not measure memory.
    ...(unsure > checks / 100 ? [`${unsure} of ${checks} checks could not be answered from memory`] : []),
  ];
}

async function texts(candidate: Candidate, count: number): Promise<string[]> {
  return (await candidate.prepare(count)).map(textOf);
}

/** The credential in a check's headers. */
export function textOf({ check }: Credential): string {
  const { Authorization: authorization, Cookie: cookie } = check.headers ?? {};
  const text = authorization?.slice('Bearer '.length) ?? cookie?.slice(cookie.indexOf('=') + 1);
  if (text === undefined) throw new Error('a check without a credential');
  return text;
}

async function publicKeys(curfew: Curfew): Promise<JsonWebKey[]> {
  const response = await fetch(`http://127.0.0.1:${curfew.port}/.well-known/jwks.json`);
  return ((await response.json()) as { keys: JsonWebKey[] }).keys;
}
