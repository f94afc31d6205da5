import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from '../bench.ts';
import { Curfew } from '../candidates/curfew.ts';
import { withRatios, type Figure, type Section } from '../figure.ts';
import { toWire } from '../load/wire.ts';
import { cpuSeconds, residentMegabytes } from '../machine/foreign-load.ts';
import { measureInRounds, type Entry } from '../rounds.ts';
import { Crowd } from '../verifiers/crowd.ts';

const VERIFIERS = [0, 1000];
/** The verifiers that connect at once, as after a restart of their node, and the number of endings in their snapshot. */
const CONNECTING = 100;
const ENDED_IDS = 5000;
const USERS = 10;
/**
 * If the machine stalls for most of a second, some verifiers are stale at any moment. With many of them the figure would measure something
 * else.
 */
const MOSTLY = 0.9;
/** How many renewals one verifier requests in a second: four in the default lease of a second. */
const RENEWALS = 4;

/** (i) What verifiers cost a node while nobody logs out: each renews its lease four times in it. */
export async function measureIdleFeeds(bench: Bench): Promise<Section> {
  const { options } = bench;
  return withRatios({
    id: 'idle-feeds',
    title: 'Verifiers that only listen',
    method: `A node of its own for ${options.idleSeconds} s while nobody logs in, out or checks; the default lease of one second. Then, with ended ids in its memory, verifiers that connect at once.`,
    columns: [
      { value: 'cpuPercent', title: '% of a core', digits: 1 },
      { value: 'rssMegabytes', title: 'RSS MB', digits: 0 },
      { value: 'renewalMicros', title: 'µs each renewal', digits: 1 },
      { value: 'fresh', title: 'fresh', digits: 0 },
      { value: 'connectSeconds', title: 's until all are fresh', digits: 2 },
      { value: 'snapshotMillis', title: 'node ms each', digits: 2 },
    ],
    ratios: [],
    figures: bench.curfew === undefined ? [] : await measureOwnNode(bench),
  });
}

/** A node of its own, because memory that other sections used on a node is no cost of a verifier. */
async function measureOwnNode(bench: Bench): Promise<Figure[]> {
  const databaseUrl = await bench.services.makeDatabase('idle_feeds');
  const node = await Curfew.startNode({ databaseUrl, redisUrl: undefined, users: USERS });
  try {
    const idle = await measureInRounds(
      bench,
      VERIFIERS.map((verifiers) => idleEntry(bench, node, verifiers)),
    );
    const stock = await node.candidate('bearer').prepare(ENDED_IDS);
    const requests = stock.map(({ logout }) => toWire(logout, node.port));
    const load = { port: node.port, connections: 16, seconds: 60, requests, repeat: false };
    const { answered } = await bench.generator.closedLoop(load);
    if (answered !== ENDED_IDS) throw new Error(`${answered} of ${ENDED_IDS} logouts were answered`);
    return [...idle, ...(await measureInRounds(bench, [connectEntry(node)]))];
  } finally {
    await node.stop();
  }
}

function connectEntry(node: Curfew): Entry {
  return {
    id: `connect-${CONNECTING}`,
    label: `Curfew, ${CONNECTING} verifiers connect, ${ENDED_IDS.toLocaleString('en')} ended ids`,
    kind: 'curfew',
    measure: async (timed) => {
      const crowd = await Crowd.start(CONNECTING);
      try {
        const before = cpuSeconds(node.pid);
        const start = performance.now();
        await timed(() => crowd.open([node], CONNECTING));
        const connectSeconds = (performance.now() - start) / 1000;
        const snapshotMillis = ((cpuSeconds(node.pid) - before) / CONNECTING) * 1000;
        const { fresh } = await crowd.state();
        return { values: { connectSeconds, snapshotMillis, fresh }, problems: [] };
      } finally {
        await crowd.close();
        await crowd.stop();
      }
    },
  };
}

function idleEntry(bench: Bench, curfew: Curfew, verifiers: number): Entry {
  return {
    id: `idle-${verifiers}`,
    label: verifiers === 0 ? 'Curfew, no verifier' : `Curfew, ${verifiers.toLocaleString('en')} verifiers`,
    kind: 'curfew',
    measure: async (timed) => {
      const crowd = verifiers === 0 ? undefined : await Crowd.start(verifiers);
      try {
        await crowd?.open([curfew], verifiers);
        // A verifier that has just connected costs more: it gets a snapshot and keys.
        await sleep(1000);
        let used = 0;
        let tookSeconds = 0;
        await timed(async () => {
          const start = performance.now();
          const before = cpuSeconds(curfew.pid);
          await sleep(bench.options.idleSeconds * 1000);
          used = cpuSeconds(curfew.pid) - before;
          tookSeconds = (performance.now() - start) / 1000;
        });
        const fresh = (await crowd?.state())?.fresh ?? 0;
        const rssMegabytes = residentMegabytes(curfew.pid) ?? 0;
        const renewals = verifiers * RENEWALS * tookSeconds;
        return {
          values: {
            cpuPercent: (used / tookSeconds) * 100,
            rssMegabytes,
            fresh,
            ...(verifiers === 0 ? {} : { renewalMicros: (used / renewals) * 1e6 }),
          },
          problems: fresh < verifiers * MOSTLY ? [`only ${fresh} of ${verifiers} verifiers were fresh`] : [],
        };
      } finally {
        await crowd?.close();
        await crowd?.stop();
      }
    },
  };
}
