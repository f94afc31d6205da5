import type { Bench } from '../bench.ts';
import { Curfew, logout } from '../candidates/curfew.ts';
import { withRatios, type Figure, type Section } from '../figure.ts';
import { toWire } from '../load/wire.ts';
import { cpuSeconds } from '../machine/foreign-load.ts';
import { measureInRounds, type Entry } from '../rounds.ts';
import { Crowd } from '../verifiers/crowd.ts';
import type { LogoutSample } from '../verifiers/logouts.ts';
import { textOf } from './local.ts';

const NODES = [1, 3];
const VERIFIERS = [1, 8, 10, 100];
const VERIFIERS_QUICK = [8, 100];
/** For comparison, to show how long the machine takes to wake up: the same and the floor, at that pace and without a pause. */
const CLOSELY = { verifiers: 8, everyMs: 0 };
const DOORBELLS = ['Redis', 'NOTIFY'] as const;
/** A modest rate, because the question is how long one logout takes, not how many are possible. */
const EVERY_MS = 10;
const USERS = 20;
/** The verifiers in the client's own process, which check in the very turn of the answer. */
const WATCHERS = 3;
/** The credentials that verifiers of the other processes check afterwards. */
const SAMPLED = 10;
const WARM_UP_LOGOUTS = 60;
/**
 * Warms up before the first round: a real authority has run for days, and not only for the seconds in which its code is still interpreted.
 */
const WARM_UP_LOAD = 4000;
const WARM_UP_CONNECTIONS = 8;

/** (g) How long a logout takes until it is true in every node and every verifier. */
export async function measurePropagation(bench: Bench): Promise<Section> {
  const figures: Figure[] = [];
  if (bench.curfew !== undefined)
    for (const doorbell of DOORBELLS)
      for (const nodes of NODES) figures.push(...(await measureCluster(bench, doorbell, nodes)));
  return withRatios({
    id: 'propagation',
    title: 'A logout, until it is true everywhere',
    method: `One logout at a time, one every ${EVERY_MS} ms or one right after the other, every third of them with wait "none": it answers after the commit. All nodes on one core, client and verifiers (real ones, each with a connection) on the other; warm. On each confirmed answer, in the same turn, ${WATCHERS} verifiers must refuse. From commit to last acknowledgement is by the node's own count (GET /v1/admin/state), in steps of a twentieth; its p99 is that of the worst stretch of five seconds.`,
    columns: [
      { value: 'confirmedP50', title: 'confirmed p50 ms', digits: 2 },
      { value: 'confirmedP99', title: 'p99 ms', digits: 2 },
      { value: 'serverP50', title: 'by its own clock p50', digits: 2 },
      { value: 'committedP50', title: 'committed p50 ms', digits: 2 },
      { value: 'committedP99', title: 'p99 ms', digits: 2 },
      { value: 'propagationP50', title: 'commit to last acknowledgement p50', digits: 2 },
      { value: 'propagationP99', title: 'p99', digits: 2 },
      { value: 'waitedOut', title: 'waited out', digits: 0 },
    ],
    ratios: [],
    figures,
  });
}

async function measureCluster(
  bench: Bench,
  doorbell: (typeof DOORBELLS)[number],
  count: number,
): Promise<Figure[]> {
  const { services } = bench;
  const databaseUrl = await services.makeDatabase(`propagation_${doorbell.toLowerCase()}_${count}`);
  const redisUrl = doorbell === 'Redis' ? await services.ownRedis(6) : undefined;
  const first = await Curfew.startNode({ databaseUrl, redisUrl, users: USERS });
  const nodes = [first];
  while (nodes.length < count)
    nodes.push(await Curfew.startNode({ databaseUrl, redisUrl, users: 0, beside: first }));
  try {
    const counts = bench.options.quick ? VERIFIERS_QUICK : VERIFIERS;
    const entries = counts.map((verifiers) => propagationEntry(bench, doorbell, nodes, verifiers, EVERY_MS));
    if (doorbell === 'Redis' && count === 1)
      entries.push(
        propagationEntry(bench, doorbell, nodes, CLOSELY.verifiers, CLOSELY.everyMs),
        ...[EVERY_MS, CLOSELY.everyMs].map((everyMs) => floorEntry(bench, everyMs)),
      );
    return await measureInRounds(bench, entries);
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
  }
}

const paceOf = (everyMs: number): { id: string; text: string } =>
  everyMs === 0 ? { id: '-closely', text: ', one after the other' } : { id: '', text: '' };

/** How long this machine takes for the smallest durable act, at the same pace. */
function floorEntry(bench: Bench, everyMs: number): Entry {
  const { update } = bench.floors;
  const pace = paceOf(everyMs);
  return {
    id: `${update.id}${pace.id}`,
    label: `${update.label}${pace.text}`,
    kind: 'floor',
    durable: true,
    measure: async (timed) => {
      const crowd = await Crowd.start(0);
      try {
        const credentials = await update.prepare(bench.options.propagationSamples + WARM_UP_LOGOUTS);
        const requests = credentials.map(({ logout: request }) => toWire(request, update.port));
        const plan = { port: update.port, everyMs };
        await crowd.floor({ ...plan, requests: requests.splice(0, WARM_UP_LOGOUTS) });
        await bench.services.checkpoint();
        const { problems, ...values } = await timed(() => crowd.floor({ ...plan, requests }));
        return { values, problems };
      } finally {
        await crowd.stop();
      }
    },
  };
}

function propagationEntry(
  bench: Bench,
  doorbell: string,
  nodes: Curfew[],
  verifiers: number,
  everyMs: number,
): Entry {
  const pace = paceOf(everyMs);
  const [first] = nodes as [Curfew];
  const nodesText = nodes.length === 1 ? '1 node' : `${nodes.length} nodes`;
  const verifiersText = verifiers === 1 ? '1 verifier' : `${verifiers} verifiers`;
  return {
    id: `${doorbell.toLowerCase()}-${nodes.length}-${verifiers}${pace.id}`,
    label: `${doorbell}, ${nodesText}, ${verifiersText}${pace.text}`,
    kind: 'curfew',
    durable: true,
    measure: async (timed, round) => {
      const crowd = await Crowd.start(verifiers);
      try {
        await crowd.open(nodes, verifiers);
        // Verifiers and the other nodes.
        const replicas = verifiers + nodes.length - 1;
        const plan = { port: first.port, everyMs, watchers: WATCHERS, replicas };
        if (round === 0) await warmUpNode(bench, first);
        await crowd.logouts({ ...plan, everyMs: 2, samples: await makeSamples(first, WARM_UP_LOGOUTS) });
        const samples = await makeSamples(first, Math.ceil(bench.options.propagationSamples * 1.5));
        await bench.services.checkpoint();
        await first.nextPropagationSpan();
        const theirs = (await crowd.state()).cpuSeconds;
        const ours = sumOf(nodes.map(({ pid }) => cpuSeconds(pid)));
        const beganMs = Date.now();
        const start = performance.now();
        const { problems, ...values } = await timed(() => crowd.logouts({ ...plan, samples }));
        const each = {
          tookMs: (performance.now() - start) / samples.length,
          nodeMicros: ((sumOf(nodes.map(({ pid }) => cpuSeconds(pid))) - ours) / samples.length) * 1e6,
          crowdMicros: (((await crowd.state()).cpuSeconds - theirs) / samples.length) * 1e6,
        };
        const ended = samples.filter((_, i) => i % Math.ceil(samples.length / SAMPLED) === 0);
        const late = await crowd.accepted(
          ended.map(({ text }) => text),
          2,
        );
        if (late > 0) problems.push(`${late} logged-out credentials were accepted by other processes`);
        return {
          values: { ...values, ...each, ...(await first.propagationSince(beganMs)) },
          problems,
        };
      } finally {
        await crowd.close();
        await crowd.stop();
      }
    },
  };
}

/** Logouts that only have to happen. */
async function warmUpNode(bench: Bench, node: Curfew): Promise<void> {
  const credentials = await node.candidate('bearer').prepare(WARM_UP_LOAD);
  await bench.generator.closedLoop({
    port: node.port,
    connections: WARM_UP_CONNECTIONS,
    seconds: 30,
    requests: credentials.map(({ logout: request }) => toWire(request, node.port)),
    repeat: false,
  });
}

const sumOf = (values: number[]): number => values.reduce((sum, value) => sum + value, 0);

async function makeSamples(curfew: Curfew, count: number): Promise<LogoutSample[]> {
  const credentials = await curfew.candidate('bearer').prepare(count);
  return credentials.map((credential, i) => {
    const wait = i % 3 === 2 ? 'none' : 'replicas';
    const headers = credential.check.headers ?? {};
    return { logout: toWire(logout(headers, 'this', wait), curfew.port), text: textOf(credential), wait };
  });
}
