import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, release, totalmem, type } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Section } from '../figure.ts';
import { hasWrk } from '../load/wrk.ts';
import { canPin } from '../machine/cores.ts';
import type { ServiceFacts } from '../machine/services.ts';
import { isPublishable, type Options } from '../options.ts';
import type { Aim } from './aims.ts';

/** Everything that a reader needs to judge a run, and to compare it with the next. */
export interface Results {
  at: string;
  quick: boolean;
  seconds: number;
  machine: { processor: string; cores: number; memoryGigabytes: number; system: string; node: string };
  services: ServiceFacts;
  pinned: boolean;
  checkGenerator: string;
  aims: Aim[];
  sections: Section[];
}

export function gatherResults(
  options: Options,
  services: ServiceFacts,
  seconds: number,
  sections: Section[],
  aims: Aim[],
): Results {
  return {
    at: new Date().toISOString(),
    quick: options.quick,
    seconds: Math.round(seconds),
    machine: {
      processor: cpus()[0]?.model.trim() ?? 'unknown',
      cores: cpus().length,
      memoryGigabytes: Math.round(totalmem() / 2 ** 30),
      system: `${type()} ${release().split('-', 1)[0] ?? ''}`,
      node: process.version,
    },
    services,
    pinned: canPin,
    checkGenerator: hasWrk ? 'wrk' : 'node',
    aims,
    sections,
  };
}

/** Returns the written paths. A quick or partial run never replaces the published one. */
export async function writeResults(results: Results, drawing: string, options: Options): Promise<string[]> {
  const publish = isPublishable(options);
  const json = publish ? 'bench/results/latest.json' : 'bench/results/partial.json';
  const chart = publish ? 'docs/pictures/bench.svg' : 'bench/results/partial.svg';
  await write(json, `${JSON.stringify(results, null, 2)}\n`);
  await write(chart, drawing);
  return [json, chart];
}

async function write(path: string, text: string): Promise<void> {
  const file = fileURLToPath(new URL(`../../${path}`, import.meta.url));
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}
