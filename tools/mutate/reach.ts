import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { each, type Lane } from './lane.ts';
import { type Mutant, withHits } from './mutants.ts';
import { digest, readKept, writeKept } from './report.ts';

interface Timed {
  file: string;
  ms: number;
}

/** What a test file was seen to execute. */
interface Seen {
  /** Of the test file and the sources: otherwise it is run again. */
  of: string;
  ms: number;
  /** Each `path:statement`. */
  hits: string[];
}

/** Which test files can notice a mutant, and which of them are likely to. */
export class Reach {
  readonly #files = new Map<string, Timed[]>();
  /** By `path file`, how many statements of that source the test file executes. */
  readonly #share = new Map<string, number>();
  readonly #kills = new Map<string, number>();

  /** Runs each test file once, on sources that write down what is executed. */
  static async find(
    lanes: Lane[],
    root: string,
    sources: Map<string, string>,
    print: (line: string) => void,
  ): Promise<Reach> {
    const reach = new Reach();
    const kept = join(root, '.mutate/reach.json');
    const known = readKept<Record<string, Seen>>(kept) ?? {};
    const ofSources = [...sources].flat().join('\n');
    const ofFile = (file: string): string => digest(ofSources + readFileSync(join(root, file), 'utf8'));
    const files = (lanes[0] as Lane).testFiles;
    const unknown = files.filter((file) => known[file]?.of !== ofFile(file));
    for (const lane of lanes)
      for (const [path, text] of sources) lane.write(path, withHits(path, text, hitsOf(lane)));
    // Each lane runs one file at least: its services are started by the first, which takes longer.
    const [quick = files[0] ?? ''] = files.toSorted(
      (a, b) => (known[a]?.ms ?? Infinity) - (known[b]?.ms ?? Infinity),
    );
    await Promise.all(lanes.map((lane) => lane.run(quick, 600_000)));
    await each(lanes, unknown, async (lane, file) => {
      rmSync(hitsOf(lane), { force: true });
      const { outcome, what, ms } = await lane.run(file, 600_000, true);
      if (outcome !== 'green') throw new Error(`${file} is ${outcome} on unbroken sources: ${what}`);
      const hits = existsSync(hitsOf(lane))
        ? [...new Set(readFileSync(hitsOf(lane), 'utf8').trim().split('\n'))]
        : [];
      known[file] = { of: ofFile(file), ms, hits };
      writeKept(kept, known);
      print(`${file}: ${(ms / 1000).toFixed(1)} s, executes ${hits.length} statements`);
    });
    for (const lane of lanes) for (const [path, text] of sources) lane.write(path, text);
    for (const file of files) reach.#add(file, known[file] as Seen);
    return reach;
  }

  #add(file: string, { ms, hits }: Seen): void {
    for (const hit of hits) {
      this.#files.set(hit, [...(this.#files.get(hit) ?? []), { file, ms }]);
      count(this.#share, `${hit.slice(0, hit.lastIndexOf(':'))} ${file}`);
    }
  }

  /**
   * The test files that execute the statement. First those that are quick, execute much of this source, or have proven to notice
   * what is wrong in it.
   */
  filesFor({ path, statement }: Mutant): Timed[] {
    const cost = ({ file, ms }: Timed): number => {
      const of = (counts: Map<string, number>): number => counts.get(`${path} ${file}`) ?? 0;
      return ms / (of(this.#share) * (1 + of(this.#kills)));
    };
    return (this.#files.get(`${path}:${statement}`) ?? []).toSorted((a, b) => cost(a) - cost(b));
  }

  noteKill({ path }: Mutant, file: string): void {
    count(this.#kills, `${path} ${file}`);
  }
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function hitsOf(lane: Lane): string {
  return join(lane.directory, '.hits');
}
