import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from '../bench.ts';
import type { Curfew } from '../candidates/curfew.ts';
import { withRatios, type Section } from '../figure.ts';
import { cpuSeconds, residentMegabytes } from '../machine/foreign-load.ts';
import { measureInRounds, type Entry } from '../rounds.ts';
import { Crowd } from '../verifiers/crowd.ts';

const VERIFIERS = [0, 1000];
/** Renewals a second that one verifier asks for: four in the default lease of a second. */
const RENEWALS = 4;

/** (i) What verifiers cost a node while nobody logs out: each renews its lease four times in it. */
export async function measureIdleFeeds(bench: Bench): Promise<Section> {
  const { curfew, options } = bench;
  return withRatios({
    id: 'idle-feeds',
    title: 'Verifiers that only listen',
    method: `A node for ${options.idleSeconds} s while nobody logs in, out or checks; the default lease of one second.`,
    columns: [
      { value: 'cpuPercent', title: '% of a core', digits: 1 },
      { value: 'rssMegabytes', title: 'RSS MB', digits: 0 },
      { value: 'renewalMicros', title: 'µs each renewal', digits: 1 },
      { value: 'fresh', title: 'fresh', digits: 0 },
    ],
    ratios: [],
    figures: await measureInRounds(
      bench,
      curfew === undefined ? [] : VERIFIERS.map((verifiers) => idleEntry(bench, curfew, verifiers)),
    ),
  });
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
        // Whoever has just connected costs more: a snapshot, keys.
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
          problems: fresh === verifiers ? [] : [`only ${fresh} of ${verifiers} verifiers were fresh`],
        };
      } finally {
        await crowd?.close();
        await crowd?.stop();
      }
    },
  };
}
