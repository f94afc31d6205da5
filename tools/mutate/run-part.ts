import { spawnSync } from 'node:child_process';
import { existsSync, globSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Lane } from './lane.ts';
import { apply, findMutants, type Mutant, withHits } from './mutants.ts';
import type { Part } from './parts.ts';
import {
  digest,
  inLines,
  type Lines,
  type Report,
  type Result,
  readReport,
  sameMutant,
  writeReport,
} from './report.ts';
import { draw } from './sample.ts';

export interface Options {
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
  /** Runs those again that nothing noticed. */
  again: boolean;
  /** A mutant that no test can notice is not run. */
  isEquivalent: (mutant: Lines) => boolean;
  print: (line: string) => void;
}

/** By `path:statement`, the test files that execute it, and how long each takes. */
type Reach = Map<string, { file: string; ms: number }[]>;

type Fate = Pick<Result, 'outcome' | 'by'>;

const SPARED: Fate = { outcome: 'survived', by: 'judged' };

export async function runPart(options: Options): Promise<Report> {
  const { root, part, print } = options;
  const paths = part.sources.flatMap((pattern) => globSync(`${pattern}/**/*.ts`, { cwd: root })).toSorted();
  const sources = new Map(paths.map((path) => [path, readFileSync(join(root, path), 'utf8')]));
  const all = paths.flatMap((path) => findMutants(path, sources.get(path) as string));
  const sample = draw(all, options.sample, options.seed);
  const report = begun(options, sources, sample, all.length);
  const isDone = (mutant: Mutant): boolean => report.results.some((result) => sameMutant(result, mutant));
  const queue = sample.filter((mutant) => !isDone(mutant));
  print(`${options.name}: ${all.length} mutants, ${sample.length} drawn, ${queue.length} to be run`);
  if (queue.length === 0) return report;

  const lanes: Lane[] = [];
  try {
    for (let i = 0; i < Math.min(options.lanes, queue.length); i++) lanes.push(await Lane.open(root, part));
    const reach = await reachOf(lanes, sources, print);
    report.tests = lanes[0]?.testFiles.length ?? 0;
    const kills = new Map<string, number>();
    await each(lanes, queue, async (lane, mutant) => {
      const source = sources.get(mutant.path) as string;
      const lines = inLines(source, mutant);
      const began = performance.now();
      lane.write(mutant.path, apply(mutant, source));
      const fate = options.isEquivalent(lines)
        ? SPARED
        : await fateOf(lane, mutant, reach, kills, options.slackMs);
      lane.write(mutant.path, source);
      const result = { ...mutant, ...lines, ...fate, ms: performance.now() - began };
      report.results.push(result);
      writeReport(options.file, report);
      print(inWords(result, report.results.length, sample.length));
    });
  } finally {
    await Promise.all(lanes.map((lane) => lane.close()));
  }
  return report;
}

export function inWords({ outcome, path, line, was, is, by, ms }: Result, count: number, of: number): string {
  const head = `${count}/${of} ${outcome} ${(ms / 1000).toFixed(1)} s ${path}:${line}`;
  return outcome === 'survived' || outcome === 'unreached'
    ? `${head}\n    - ${was}\n    + ${is}`
    : `${head} (${by})`;
}

/** The report as an earlier run left it, without what has to be run again. */
function begun(options: Options, sources: Map<string, string>, sample: Mutant[], of: number): Report {
  const digests = Object.fromEntries([...sources].map(([path, text]) => [path, digest(text)]));
  const earlier = readReport(options.file);
  const results = (earlier?.results ?? []).filter(
    (result) =>
      earlier?.digests[result.path] === digests[result.path] &&
      sample.some((mutant) => sameMutant(mutant, result)) &&
      !(options.again && (result.outcome === 'survived' || result.outcome === 'unreached')),
  );
  const { name: part, seed } = options;
  return { part, seed, of, sample: sample.length, tests: earlier?.tests ?? 0, digests, results };
}

/** Runs each test file once, on sources that write down what is executed. */
async function reachOf(lanes: Lane[], sources: Map<string, string>, print: Options['print']): Promise<Reach> {
  const reach: Reach = new Map();
  for (const lane of lanes)
    for (const [path, text] of sources) lane.write(path, withHits(path, text, hitsOf(lane)));
  await each(lanes, [...(lanes[0] as Lane).testFiles], async (lane, file) => {
    rmSync(hitsOf(lane), { force: true });
    const { outcome, what, ms } = await lane.run(file, 600_000);
    if (outcome !== 'green') throw new Error(`${file} is ${outcome} on unbroken sources: ${what}`);
    const hits = existsSync(hitsOf(lane))
      ? new Set(readFileSync(hitsOf(lane), 'utf8').trim().split('\n'))
      : [];
    for (const hit of hits) reach.set(hit, [...(reach.get(hit) ?? []), { file, ms }]);
    print(`${file}: ${(ms / 1000).toFixed(1)} s, executes ${[...hits].length} statements`);
  });
  for (const lane of lanes) for (const [path, text] of sources) lane.write(path, text);
  return reach;
}

function hitsOf(lane: Lane): string {
  return join(lane.directory, '.hits');
}

async function fateOf(
  lane: Lane,
  mutant: Mutant,
  reach: Reach,
  kills: Map<string, number>,
  slackMs: number,
): Promise<Fate> {
  const reaching = reach.get(`${mutant.path}:${mutant.statement}`) ?? [];
  const killsOf = (file: string): number => kills.get(`${mutant.path} ${file}`) ?? 0;
  // The quickest first, unless a slower one has proven to be the one that notices what is wrong in this source.
  const cost = ({ file, ms }: { file: string; ms: number }): number => ms / (1 + killsOf(file));
  for (const { file, ms } of reaching.toSorted((a, b) => cost(a) - cost(b))) {
    const { outcome, what } = await lane.run(file, Math.round(3 * ms + slackMs));
    if (outcome === 'green') continue;
    kills.set(`${mutant.path} ${file}`, killsOf(file) + 1);
    return { outcome: outcome === 'hung' ? 'hung' : 'killed', by: `${file}: ${what}` };
  }
  const complaint = complaintOf(lane, mutant.path);
  if (complaint !== undefined) return { outcome: 'refused', by: complaint };
  return { outcome: reaching.length > 0 ? 'survived' : 'unreached', by: '' };
}

/** What `npm run check` says of the source of a mutant, if it says anything. */
function complaintOf(lane: Lane, path: string): string | undefined {
  const project = path.slice(0, path.indexOf('/src/'));
  const bin = (name: string): string => join(lane.directory, 'node_modules/.bin', name);
  const run = (name: string, ...args: string[]): string | undefined => {
    const { status, stdout, stderr } = spawnSync(bin(name), args, { cwd: lane.directory, encoding: 'utf8' });
    return status === 0
      ? undefined
      : (/error TS.*|[\w-]+\([\w-]+\): .*/.exec(stdout + stderr)?.[0] ?? `${name} ended with ${status}`);
  };
  return (
    run('tsc', '-b', project, '--pretty', 'false') ?? run('oxlint', '--type-aware', '--deny-warnings', path)
  );
}

/** Every lane takes the next one as soon as it is through with one. */
async function each<T>(
  lanes: Lane[],
  items: T[],
  work: (lane: Lane, item: T) => Promise<void>,
): Promise<void> {
  const left = [...items];
  await Promise.all(
    lanes.map(async (lane) => {
      for (let item = left.shift(); item !== undefined; item = left.shift()) await work(lane, item);
    }),
  );
}
