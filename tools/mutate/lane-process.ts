/**
 * One vitest, alive with its services as long as its parent wants it, in a copy of the checkout: it runs one test file after the
 * other, whatever the sources are then.
 */
import { relative } from 'node:path';
import { Writable } from 'node:stream';
import { createVitest } from 'vitest/node';
import { childrenOf, signal } from '../../packages/server/test/services/scratch.ts';

export interface Order {
  file: string;
  /** The sources that have changed since the last order. */
  changed: string[];
  limitMs: number;
}

export interface Answer {
  outcome: 'green' | 'red' | 'hung';
  /** The test that is red, and why. */
  what: string;
  ms: number;
}

/** Not the simulator's own faults: they are changes of texts, which a mutant has changed, and say nothing of the tests of a source. */
const OTHER_TESTS = /^(?!mutations |a seed )/;

const root = process.cwd();
const nowhere = (): Writable => new Writable({ write: (_chunk, _encoding, done) => done() });
const vitest = await createVitest(
  {
    root,
    watch: false,
    bail: 1,
    maxWorkers: 1,
    // No module may outlive the mutant that it was loaded with.
    isolate: true,
    fsModuleCache: false,
    reporters: [{}],
    testNamePattern: OTHER_TESTS,
  },
  {},
  { stdout: nowhere(), stderr: nowhere() },
);
const found = await vitest.globTestSpecifications(process.argv.slice(2));
const specifications = new Map(found.map((one) => [relative(root, one.moduleId), one]));

process.on('message', (order: Order) => void run(order).then((answer) => process.send?.(answer)));
process.on('disconnect', () => void vitest.close().finally(() => process.exit()));
process.send?.([...specifications.keys()]);

async function run({ file, changed, limitMs }: Order): Promise<Answer> {
  const specification = specifications.get(file);
  if (specification === undefined) throw new Error(`no such test file: ${file}`);
  for (const path of changed) vitest.invalidateFile(`${root}/${path}`);
  const services = new Set(childrenOf(process.pid));
  const begin = performance.now();
  let hung = false;
  // A worker that loops hears nothing: it is killed, and what it has started.
  const watch = setInterval(() => {
    if (performance.now() - begin < limitMs) return;
    hung = true;
    for (const pid of childrenOf(process.pid)) if (!services.has(pid)) killTree(pid);
  }, 100);
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications([specification]);
  clearInterval(watch);
  const ms = performance.now() - begin;
  if (hung) return { outcome: 'hung', what: `more than ${limitMs} ms`, ms };
  const [module] = testModules.filter(({ moduleId }) => moduleId === specification.moduleId);
  const failed = [...(module?.children.allTests('failed') ?? [])][0];
  const error = failed?.result().errors?.[0] ?? module?.errors()[0] ?? unhandledErrors[0];
  if (error === undefined && module?.ok()) return { outcome: 'green', what: '', ms };
  const message = (error as Error | undefined)?.message?.split('\n')[0] ?? '';
  return { outcome: 'red', what: `${failed?.fullName ?? 'outside of its tests'}: ${message}`, ms };
}

function killTree(pid: number): void {
  const below = childrenOf(pid);
  signal(pid, 'SIGKILL');
  for (const child of below) killTree(child);
}
