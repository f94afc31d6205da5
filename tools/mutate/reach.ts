import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { each, type Lane } from './lane.ts';
import { type Mutant, withHits } from './mutants.ts';
import { digest, readKept, writeKept } from './report.ts';

interface Timed {
  file: string;
  ms: number;
}

/** The statements that a test file executed. */
interface Seen {
  /** The hash of the test file and the sources. If it differs, the file runs again. */
  of: string;
  ms: number;
  /** Each `path:statement`. */
  hits: string[];
}

/** Finds the test files that can notice a mutant, and those of them that are likely to. */
export class Reach {
  readonly #files = new Map<string, Timed[]>();
  /** By source and test file: the beginnings of the statements that the file executes. */
  readonly #begins = new Map<string, Map<string, number[]>>();
  readonly #kills = new Map<string, number>();

  /** Runs each test file once, on sources that record what is executed. */
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
    // Each lane runs at least one file: the first starts the lane's services, which takes longer.
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
      const colon = hit.lastIndexOf(':');
      const ofSource = this.#begins.get(hit.slice(0, colon)) ?? new Map<string, number[]>();
      this.#begins.set(hit.slice(0, colon), ofSource);
      ofSource.set(file, [...(ofSource.get(file) ?? []), Number(hit.slice(colon + 1))]);
    }
  }

  /**
   * The test files that execute the statement. The likely ones come first: files that are quick, that execute statements near it which few
   * others execute, or that have noticed other faults in its source.
   */
  filesFor(mutant: Mutant): Timed[] {
    const files = this.#files.get(`${mutant.path}:${mutant.statement}`) ?? [];
    const costs = new Map(files.map((timed) => [timed, this.#cost(mutant, timed)]));
    return files.toSorted((a, b) => (costs.get(a) as number) - (costs.get(b) as number));
  }

  #cost({ path, start }: Mutant, { file, ms }: Timed): number {
    let likely = 0;
    for (const begin of this.#begins.get(path)?.get(file) ?? []) {
      const others = this.#files.get(`${path}:${begin}`)?.length ?? 1;
      likely += 1 / (others * (1 + Math.abs(begin - start) / NEAR));
    }
    return ms / (likely * (1 + (this.#kills.get(`${path} ${file}`) ?? 0)));
  }

  noteKill({ path }: Mutant, file: string): void {
    const key = `${path} ${file}`;
    this.#kills.set(key, (this.#kills.get(key) ?? 0) + 1);
  }
}

/** Characters, some lines. */
const NEAR = 200;

function hitsOf(lane: Lane): string {
  return join(lane.directory, '.hits');
}
