import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { each, Lane } from './lane.ts';
import { apply, findMutants, type Mutant } from './mutants.ts';
import { PARTS, type Part } from './parts.ts';
import { Reach } from './reach.ts';
import {
  digest,
  inLines,
  type Lines,
  type Report,
  type Result,
  readReport,
  sameMutant,
  writeKept,
} from './report.ts';
import { runOn } from './run-on.ts';
import { draw } from './sample.ts';

interface Options {
  root: string;
  name: string;
  part: Part;
  /** Where results are kept. */
  file: string;
  sample: number;
  seed: number;
  lanes: number;
  /** What a test file may take longer than without the fault, besides twice that time again. */
  slackMs: number;
  /** How long tests must pass before a mutant counts as survived. */
  patienceMs: number;
  /** Runs the mutants again that no test noticed. */
  again: boolean;
  /** Does not run a mutant that no test can notice. */
  isEquivalent: (mutant: Lines) => boolean;
  print: (line: string) => void;
}

type Fate = Pick<Result, 'outcome' | 'by'>;

const SPARED: Fate = { outcome: 'survived', by: 'judged' };

export async function runPart(options: Options): Promise<Report> {
  const { root, part, print } = options;
  const sources = sourcesIn(root, part.sources);
  const all = [...sources.keys()].flatMap((path) => findMutants(path, sources.get(path) as string));
  const sample = draw(all, options.sample, options.seed);
  const report = begun(options, sources, sample, all.length);
  const isUnnoticed = ({ outcome }: Result): boolean => outcome === 'survived' || outcome === 'unreached';
  const isDone = (mutant: Mutant): boolean =>
    report.results.some((one) => sameMutant(one, mutant) && !(options.again && isUnnoticed(one)));
  const queue = sample.filter((mutant) => !isDone(mutant));
  print(`${options.name}: ${all.length} mutants, ${sample.length} drawn, ${queue.length} to be run`);
  if (queue.length === 0) return report;

  const lanes: Lane[] = [];
  try {
    for (let i = 0; i < Math.min(options.lanes, queue.length); i++) lanes.push(await Lane.open(root, part));
    const reach = await Reach.find(lanes, root, neighbours(root, part), print);
    report.tests = lanes[0]?.testFiles.length ?? 0;
    await each(lanes, queue, async (lane, mutant) => {
      const source = sources.get(mutant.path) as string;
      const lines = inLines(source, mutant);
      const began = performance.now();
      lane.write(mutant.path, apply(mutant, source));
      const fate = options.isEquivalent(lines) ? SPARED : await fateOf(lane, mutant, source, reach, options);
      lane.write(mutant.path, source);
      const result = { ...mutant, ...lines, ...fate, ms: performance.now() - began };
      report.results = [...report.results.filter((one) => !sameMutant(one, mutant)), result];
      report.date = new Date().toISOString().slice(0, 10);
      writeKept(options.file, report);
      print(inWords(result, report.results.length, sample.length));
    });
  } finally {
    await Promise.all(lanes.map((lane) => lane.close()));
  }
  return report;
}

function sourcesIn(root: string, directories: readonly string[]): Map<string, string> {
  const paths = directories.flatMap((directory) => globSync(`${directory}/**/*.ts`, { cwd: root }));
  return new Map(paths.toSorted().map((path) => [path, readFileSync(join(root, path), 'utf8')]));
}

/** The sources of all parts of the same package: one run finds out what tests execute of all of them. */
function neighbours(root: string, part: Part): Map<string, string> {
  const [inPackage] = /^packages\/\w+\//.exec(part.sources[0] ?? '') ?? [];
  const directories = [part, ...Object.values(PARTS)].flatMap(({ sources }) => sources);
  return sourcesIn(root, [
    ...new Set(directories.filter((directory) => directory.startsWith(`${inPackage}`))),
  ]);
}

function inWords({ outcome, path, line, was, is, by, ms }: Result, count: number, of: number): string {
  const head = `${count}/${of} ${outcome} ${(ms / 1000).toFixed(1)} s ${path}:${line}`;
  return outcome === 'survived' || outcome === 'unreached'
    ? `${head}\n    - ${was}\n    + ${is}`
    : `${head} (${by})`;
}

/** The report of an earlier run, without its results about other sources. */
function begun(options: Options, sources: Map<string, string>, sample: Mutant[], of: number): Report {
  const digests = Object.fromEntries([...sources].map(([path, text]) => [path, digest(text)]));
  const earlier = readReport(options.file);
  const results = (earlier?.results ?? []).filter(
    (result) =>
      earlier?.digests[result.path] === digests[result.path] &&
      sample.some((mutant) => sameMutant(mutant, result)),
  );
  const { name: part, seed, patienceMs } = options;
  return {
    ...earlier,
    part,
    seed,
    of,
    sample: sample.length,
    tests: earlier?.tests ?? 0,
    patienceMs,
    digests,
    results,
  };
}

/** The compiler and the linter run after the likely tests have passed for so long. */
const UNLIKELY_MS = 15_000;

async function fateOf(
  lane: Lane,
  mutant: Mutant,
  source: string,
  reach: Reach,
  { slackMs, patienceMs }: Options,
): Promise<Fate> {
  const began = performance.now();
  let isAsked = false;
  for (const { file, ms } of reach.filesFor(mutant)) {
    const passed = performance.now() - began;
    if (passed > patienceMs) break;
    if (passed > UNLIKELY_MS && !isAsked) {
      isAsked = true;
      const complaint = complaintOf(lane, mutant.path);
      if (complaint !== undefined) return { outcome: 'refused', by: complaint };
    }
    const { outcome, what } = await runOn(lane, mutant, source, { file, ms }, slackMs);
    if (outcome === 'green') continue;
    reach.noteKill(mutant, file);
    return { outcome: outcome === 'hung' ? 'hung' : 'killed', by: `${file}: ${what}` };
  }
  const complaint = isAsked ? undefined : complaintOf(lane, mutant.path);
  if (complaint !== undefined) return { outcome: 'refused', by: complaint };
  return { outcome: reach.filesFor(mutant).length > 0 ? 'survived' : 'unreached', by: '' };
}

/**
 * Complaints of how a mutant is spelled: `if (true)`, or a name that is left without a use. The same fault in other words would
 * pass, so they excuse no test.
 */
const OF_SPELLING =
  /TS(6133|6138|6192|6196|6198|7027|7028)|no-(unused|constant|unreachable|useless|empty|unnecessary|extra|self)/;

/** What `npm run check` reports about the source of a mutant, if it reports anything. */
function complaintOf(lane: Lane, path: string): string | undefined {
  const project = path.slice(0, path.indexOf('/src/'));
  const bin = (name: string): string => join(lane.directory, 'node_modules/.bin', name);
  const run = (name: string, ...args: string[]): string | undefined => {
    const { status, stdout, stderr } = spawnSync(bin(name), args, { cwd: lane.directory, encoding: 'utf8' });
    if (status === 0) return undefined;
    const complaints = (stdout + stderr).match(/error TS.*|[\w-]+\([\w-]+\): .*/g) ?? [
      `${name} ended with ${status}`,
    ];
    return complaints.find((complaint) => !OF_SPELLING.test(complaint));
  };
  return (
    run('tsc', '-b', project, '--pretty', 'false') ?? run('oxlint', '--type-aware', '--deny-warnings', path)
  );
}
