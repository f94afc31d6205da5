/**
 * One vitest, alive with its services as long as its parent wants it, in a copy of the checkout: it runs one test file after the
 * other, whatever the sources are then.
 */
import { appendFileSync, existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Writable } from 'node:stream';
import { createVitest } from 'vitest/node';
import { childrenOf, signal } from '../../packages/server/test/services/scratch.ts';
import { CHANGED } from './changed-mark.ts';
import { endKeptWorker, KEPT_WORKER } from './kept-worker.ts';

export interface Order {
  file: string;
  /** The sources that have changed since the last order. */
  changed: string[];
  /** Modules are loaded anew, also if nothing has changed. */
  anew: boolean;
  limitMs: number;
}

export interface Answer {
  outcome: 'green' | 'red' | 'hung';
  /** The test that is red, and why. */
  what: string;
  /** No test is red, but a hook, or the file cannot be loaded: so it also is when a service has died. */
  isOutside?: boolean;
  ms: number;
}

/** Not the simulator's own faults: they are changes of texts, which a mutant has changed, and say nothing of the tests of a source. */
const OTHER_TESTS = /^(?!mutations |a seed )/;

const root = process.cwd();
/** What the checkout itself runs before each test file. */
const own = [join(root, 'packages/server/test/services/after-each-file.ts')];
const nowhere = (): Writable => new Writable({ write: (_chunk, _encoding, done) => done() });
const vitest = await createVitest(
  {
    root,
    watch: false,
    bail: 1,
    maxWorkers: 1,
    isolate: false,
    fsModuleCache: false,
    setupFiles: [`${import.meta.dirname}/fresh-modules.ts`, ...own.filter((path) => existsSync(path))],
    reporters: [{}],
    testNamePattern: OTHER_TESTS,
  },
  {},
  { stdout: nowhere(), stderr: nowhere() },
);
// The option of that name yields to the configuration's.
for (const { config } of vitest.projects)
  Object.assign(config, { pool: KEPT_WORKER.name, poolRunner: KEPT_WORKER });
const found = await vitest.globTestSpecifications(process.argv.slice(2));
const specifications = new Map(found.map((one) => [relative(root, one.moduleId), one]));

process.on(
  'message',
  (order: Order) => void run(order).then((answer) => process.connected && process.send?.(answer)),
);
process.on('disconnect', () => void vitest.close().finally(() => process.exit()));
process.send?.([...specifications.keys()]);

/** What the global setup has started, which is to live. */
let services: Set<number> | undefined;

/** A process keeps what was loaded before: it is not to grow for ever. */
const LOADS = 20;
let loads = 0;

async function run({ file, changed, anew, limitMs }: Order): Promise<Answer> {
  const specification = specifications.get(file);
  if (specification === undefined) throw new Error(`no such test file: ${file}`);
  for (const path of changed) vitest.invalidateFile(join(root, path));
  // No module outlives the mutant that it was loaded with.
  if (changed.length > 0 || anew) {
    if (++loads % LOADS === 0) await endWorker();
    appendFileSync(CHANGED, `${changed.map((path) => join(root, path)).join('\n')}\n`);
  }
  const begin = performance.now();
  let hung = false;
  // A worker that loops hears nothing: it is killed, and what it has started.
  const watch = setInterval(() => {
    if (performance.now() - begin < limitMs) return;
    hung = true;
    killAllButServices();
  }, 100);
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications([specification]);
  clearInterval(watch);
  const ms = performance.now() - begin;
  // The first run has started the services, and ends with its worker: what lives then is they.
  if (services === undefined) await endWorker();
  const [module] = testModules.filter(({ moduleId }) => moduleId === specification.moduleId);
  const failed = [...(module?.children.allTests('failed') ?? [])][0];
  const error = failed?.result().errors?.[0] ?? module?.errors()[0] ?? unhandledErrors[0];
  if (!hung && error === undefined && module?.ok()) return { outcome: 'green', what: '', ms };
  // A test that is red closes what it has opened; what failed in another way may have left something open.
  if (hung || failed === undefined || (module?.errors().length ?? 0) + unhandledErrors.length > 0)
    await endWorker();
  if (hung) return { outcome: 'hung', what: `more than ${limitMs} ms`, ms };
  const message = (error as Error | undefined)?.message?.split('\n')[0] ?? '';
  return {
    outcome: 'red',
    what: `${failed?.fullName ?? 'outside of its tests'}: ${message}`,
    ms,
    isOutside: failed === undefined,
  };
}

async function endWorker(): Promise<void> {
  if (services !== undefined) killAllButServices();
  await endKeptWorker();
  services ??= new Set(childrenOf(process.pid));
}

function killAllButServices(): void {
  for (const pid of childrenOf(process.pid)) if (!services?.has(pid)) killTree(pid);
}

function killTree(pid: number): void {
  const below = childrenOf(pid);
  signal(pid, 'SIGKILL');
  for (const child of below) killTree(child);
}
