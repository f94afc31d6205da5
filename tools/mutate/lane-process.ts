/**
 * One vitest in a copy of the checkout, which lives with its services until its parent ends it. It runs one test file after the other, on
 * the sources as they are at that time.
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
  /** Load the modules again, also if nothing has changed. */
  anew: boolean;
  limitMs: number;
}

export interface Answer {
  outcome: 'green' | 'red' | 'hung';
  /** The test that failed, and why. */
  what: string;
  /** No test failed, but a hook did, or the file cannot be loaded. A dead service has the same effect. */
  isOutside?: boolean;
  ms: number;
}

/**
 * Leaves out the simulator's own faults: they replace texts, which a mutant may have changed, and they do not show what the tests of a
 * source notice.
 */
const OTHER_TESTS = /^(?!mutations |a seed )/;

const root = process.cwd();
/** The files that the checkout itself runs before each test file. */
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
// The configuration overrides the option of that name.
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

/** The processes that the global setup has started and that must live on. */
let services: Set<number> | undefined;

/** A process keeps what it has loaded, so it must not live for ever. */
const LOADS = 20;
let loads = 0;

async function run({ file, changed, anew, limitMs }: Order): Promise<Answer> {
  const specification = specifications.get(file);
  if (specification === undefined) throw new Error(`no such test file: ${file}`);
  for (const path of changed) vitest.invalidateFile(join(root, path));
  // No module outlives the mutant with which it was loaded.
  if (changed.length > 0 || anew) {
    if (++loads % LOADS === 0) await endWorker();
    appendFileSync(CHANGED, `${changed.map((path) => join(root, path)).join('\n')}\n`);
  }
  const begin = performance.now();
  let hung = false;
  // A worker in a loop receives no message, so this kills it and everything that it has started.
  const watch = setInterval(() => {
    if (performance.now() - begin < limitMs) return;
    hung = true;
    killAllButServices();
  }, 100);
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications([specification]);
  clearInterval(watch);
  const ms = performance.now() - begin;
  // The first run starts the services, and its worker has ended, so the processes that are left are the services.
  if (services === undefined) await endWorker();
  const [module] = testModules.filter(({ moduleId }) => moduleId === specification.moduleId);
  const failed = [...(module?.children.allTests('failed') ?? [])][0];
  const error = failed?.result().errors?.[0] ?? module?.errors()[0] ?? unhandledErrors[0];
  if (!hung && error === undefined && module?.ok()) return { outcome: 'green', what: '', ms };
  // A failed test closes what it has opened. Another failure may have left something open.
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
