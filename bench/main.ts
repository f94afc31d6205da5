import type { Bench } from './bench.ts';
import { Curfew } from './candidates/curfew.ts';
import { startFloors } from './candidates/floors.ts';
import { installPeers, startPeers } from './candidates/peers.ts';
import type { Section } from './figure.ts';
import { Generator } from './load/generator.ts';
import { hasWrk } from './load/wrk.ts';
import { stopAllChildren } from './machine/children.ts';
import { canPin } from './machine/cores.ts';
import { startServices, type Services } from './machine/services.ts';
import { readOptions, type Options, type SectionId } from './options.ts';
import { judgeAims } from './report/aims.ts';
import { drawChart } from './chart.ts';
import { gatherResults, writeResults } from './report/results.ts';
import { formatAims, formatSection } from './report/table.ts';
import { measureAnonymous } from './sections/anonymous.ts';
import { measureChecks } from './sections/check.ts';
import { measureEmbedded } from './sections/embedded.ts';
import { measureFirstSights } from './sections/first-sight.ts';
import { measureIdleFeeds } from './sections/idle-feeds.ts';
import { measureListening } from './sections/listening.ts';
import { measureLocalChecks } from './sections/local.ts';
import { measureLogins } from './sections/login.ts';
import { measureLogoutAll } from './sections/logout-all.ts';
import { measureLogouts } from './sections/logout.ts';
import { measureNotices } from './sections/notices.ts';
import { measureOverload } from './sections/overload.ts';
import { measurePropagation } from './sections/propagation.ts';
import { measureRefreshes } from './sections/refresh.ts';

const SECTIONS: Record<SectionId, (bench: Bench) => Promise<Section>> = {
  check: measureChecks,
  local: measureLocalChecks,
  'first-sight': measureFirstSights,
  logout: measureLogouts,
  'logout-all': measureLogoutAll,
  login: measureLogins,
  embedded: measureEmbedded,
  refresh: measureRefreshes,
  overload: measureOverload,
  propagation: measurePropagation,
  listening: measureListening,
  'idle-feeds': measureIdleFeeds,
  notices: measureNotices,
  anonymous: measureAnonymous,
};

let stopServices: () => Promise<void> = async () => {};

const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function startBench(options: Options, services: Services): Promise<Bench> {
  const floors = await startFloors(services);
  const peers = options.peers ? await startPeers(services) : [];
  const curfew = options.curfew ? await Curfew.start(services, options.users) : undefined;
  return {
    options,
    services,
    floors,
    curfew,
    ours:
      curfew === undefined
        ? []
        : (['bearer', 'opaque', 'cookie'] as const).map((way) => curfew.candidate(way)),
    peers,
    generator: await Generator.start(),
    get pids() {
      return [process.pid, ...services.pids];
    },
    repeatSecondsLeft: options.repeatSeconds,
    say,
  };
}

async function run(options: Options): Promise<void> {
  if (options.peers) await installPeers();
  const startedAt = performance.now();
  const services = await startServices();
  stopServices = () => services.stop();
  const bench = await startBench(options, services);
  const { postgres, redis, diskWarning } = services.facts;
  say(`PostgreSQL ${postgres} (fsync on, any core), Redis ${redis} (any core), Node ${process.version}`);
  say(
    canPin
      ? 'servers on core 0, load on core 1'
      : 'NOT pinned to cores (no taskset): figures depend on the scheduler',
  );
  say(
    hasWrk
      ? 'checks are loaded by wrk, the rest by the Node generator'
      : 'no wrk: the Node generator loads everything',
  );
  if (diskWarning !== undefined) say(`WARNING: ${diskWarning}`);

  const sections: Section[] = [];
  for (const id of options.sections) {
    say(`\n${id}`);
    const sectionStart = performance.now();
    try {
      sections.push(await SECTIONS[id](bench));
      say(`  ${((performance.now() - sectionStart) / 1000).toFixed(0)} s`);
    } catch (error) {
      say(`  VOID: the section failed: ${error instanceof Error ? error.message : String(error)}`);
      process.exitCode = 1;
    }
  }
  const aims = judgeAims(sections);
  const results = gatherResults(
    options,
    services.facts,
    (performance.now() - startedAt) / 1000,
    sections,
    aims,
  );
  process.stdout.write(`\n${sections.map(formatSection).join('\n')}\n${formatAims(aims)}\n`);
  const written = await writeResults(results, drawChart(results), options);
  say(`written: ${written.join(', ')} (${results.seconds} s)`);
  if (sections.some(({ figures }) => figures.some((figure) => figure.void !== undefined)))
    process.exitCode = 1;
}

async function stopEverything(): Promise<void> {
  await stopAllChildren();
  await stopServices();
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void stopEverything().finally(() => process.exit(130));
  });
}

try {
  await run(readOptions(process.argv.slice(2)));
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
} finally {
  await stopEverything();
}
