import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Lane } from './lane.ts';
import type { Answer } from './lane-process.ts';
import { apply, findMutants, type Mutant, withHits } from './mutants.ts';
import { note, score } from './page.ts';
import { inLines } from './report.ts';
import { runOn } from './run-on.ts';
import { runPart } from './run-part.ts';
import { draw } from './sample.ts';

const mutated = (source: string): string[] =>
  findMutants('some.ts', source).map((mutant) => apply(mutant, source));

describe('mutants of a text', () => {
  test.each([
    ['const less = a < b;', ['const less = a <= b;', 'const less = a >= b;']],
    ['const same = (a) === b;', ['const same = (a) !== b;']],
    ['const sum = a + b;', ['const sum = a - b;']],
    ['const n = -a;', ['const n = a;']],
    ['const both = a && b;', ['const both = a;', 'const both = a || b;', 'const both = b;']],
    ['const either = a ?? b;', ['const either = a;']],
    ['const not = !(a);', ['const not = (a);']],
    ['const yes = a ? b : c;', ['const yes = true ? b : c;', 'const yes = false ? b : c;']],
    ['const yes = true;', ['const yes = false;']],
    ["const text = 'a';", ["const text = '';"]],
    ['const text = `${a}`;', ['const text = ``;']],
    ['const list = [a];', ['const list = [];']],
    ['const record = { a };', ['const record = {};']],
    ['const inner = a?.b;', ['const inner = a.b;']],
    ['const inner = a?.[b];', ['const inner = a[b];']],
    ['const inner = a?.(b);', ['const inner = a(b);']],
    ['const value = await a;', ['const value = a;']],
    ['call();', ['{}']],
    ['if (a) call();', ['if (a) {}', 'if (true) call();', 'if (false) call();']],
    ['count++;', ['{}', 'count--;']],
    ['count += 2;', ['{}', 'count -= 2;']],
    ['const some = list.some(f);', ['const some = list.every(f);']],
    ['const few = list.filter(f);', ['const few = list;']],
    ['const f = () => a;', ['const f = () => undefined as never;']],
    ['function f() { return a; }', ['function f() { return undefined as never; }']],
    ['while (a) f();', ['while (false) f();', 'while (a) {}']],
  ])('%s', (source, expected) => {
    expect(mutated(source).toSorted()).toEqual(expected.toSorted());
  });

  test.each([
    ['imports and exports', "import a from 'b'; export { c } from 'd'; export * from 'e';"],
    [
      'types',
      "type A = 'a' | [1]; interface B { c: true } let d: 'd' = e as 'f'; declare const g: { h: 'i' };",
    ],
    ['keys', "const { 'a': b } = c; class D { 'e' = f; }"],
    ['sums of texts', 'const a = b + ``;'],
    ['answers of undefined', 'const f = () => undefined; function g() { return undefined; }'],
    ['empty values', "const a = ''; const b = []; const c = {};"],
  ])('%s have none', (_what, source) => {
    expect(mutated(source)).toEqual([]);
  });

  test('every mutant of a source file parses, and differs from the source', () => {
    const path = 'packages/protocol/src/log-cursor.ts';
    const source = readFileSync(join(import.meta.dirname, '../..', path), 'utf8');
    const found = findMutants(path, source);
    expect(found.length).toBeGreaterThan(20);
    for (const mutant of found) {
      const changed = apply(mutant, source);
      expect(changed).not.toBe(source);
      findMutants(path, changed);
    }
  });

  test('a mutant is shown in the lines that it changes', () => {
    const source = 'a();\n  if (b\n    < c) d();\ne();';
    const [less] = findMutants('some.ts', source).filter(({ replacement }) => replacement === '<=');
    expect(inLines(source, less as NonNullable<typeof less>)).toEqual({
      path: 'some.ts',
      line: 3,
      was: '< c) d();',
      is: '<= c) d();',
    });
  });
});

test('a sample is of its seed alone, has of every file its share, and begins with every smaller one', () => {
  const mutants = [30, 70].flatMap((count, file) =>
    Array.from({ length: count }, (_, start) => ({
      path: `${file}.ts`,
      start,
      end: start,
      statement: 0,
      replacement: '',
      mutator: '',
    })),
  );
  const drawn = draw(mutants, 20, 1);
  expect(draw(mutants, 20, 1)).toEqual(drawn);
  expect(draw(mutants, 20, 2)).not.toEqual(drawn);
  expect(draw(mutants, 10, 1)).toEqual(drawn.slice(0, 10));
  expect(new Set(drawn).size).toBe(20);
  expect(drawn.filter(({ path }) => path === '0.ts').length).toBeGreaterThanOrEqual(5);
  expect(drawn.filter(({ path }) => path === '0.ts').length).toBeLessThanOrEqual(7);
});

/** A repository of one package, with dependencies of ours. */
function tinyCheckout(): string {
  const root = mkdtempSync(join(tmpdir(), 'curfew-mutate-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  write('package.json', '{ "type": "module" }');
  write('.gitignore', 'node_modules');
  write(
    'packages/tiny/tsconfig.json',
    '{ "compilerOptions": { "composite": true, "strict": true, "noUnusedParameters": true, "outDir": "dist", "rootDir": "src", "types": [] }, "include": ["src"] }',
  );
  write(
    'packages/tiny/src/age.ts',
    'export function isAdult(age: number): boolean {\n  return age >= 18;\n}\n' +
      'export function wait(forever: boolean): void {\n' +
      '  while (forever) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);\n}\n' +
      'export function forgotten(): boolean {\n  return true;\n}\n' +
      'export function pair(): [number] {\n  return [1];\n}\n',
  );
  write(
    'packages/tiny/age.test.ts',
    "import { expect, test } from 'vitest';\nimport { isAdult, pair, wait } from './src/age.ts';\n" +
      "test('a child is none', () => {\n  wait(false);\n  expect(pair()).toBeDefined();\n  expect(isAdult(3)).toBe(false);\n});\n",
  );
  symlinkSync(join(import.meta.dirname, '../../node_modules'), join(root, 'node_modules'));
  for (const args of [
    ['init', '-q'],
    ['add', '.'],
  ])
    execFileSync('git', args, { cwd: root });
  return root;
}

test('a part is run to its end: what a test notices, what the compiler refuses, what survives, what nothing executes', async () => {
  const root = tinyCheckout();
  const lines: string[] = [];
  const options = {
    root,
    name: 'tiny',
    sample: 100,
    seed: 1,
    lanes: 1,
    again: false,
    slackMs: 120_000,
    patienceMs: 120_000,
    part: { sources: ['packages/tiny/src'], tests: ['packages/tiny/'] },
    file: join(root, '.mutate/tiny.json'),
    isEquivalent: () => false,
    print: (line: string) => void lines.push(line),
  };
  const report = await runPart(options);
  const fates = Object.fromEntries(
    report.results.map(({ line, is, outcome }) => [`${line}: ${is}`, outcome]),
  );
  expect(fates).toEqual({
    // Only of an age of 18 it would say something else.
    '2: return age > 18;': 'survived',
    '2: return age < 18;': 'killed',
    '2: return undefined as never;': 'killed',
    '5: while (forever) {}': 'survived',
    // The parameter is unused then, which the compiler refuses: it would not refuse the same fault in other words.
    '5: while (false) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);': 'survived',
    '8: return undefined as never;': 'unreached',
    '8: return false;': 'unreached',
    '11: return [];': 'refused',
    '11: return undefined as never;': 'killed',
  });
  expect(score(report, [])).toMatchObject({ killed: 3, refused: 1, percent: (100 * 3) / 8 });
  const judged = [
    { path: 'packages/tiny/src/age.ts', was: 'return age >= 18;', is: 'return age > 18;', why: 'no' },
  ];
  expect(score(report, judged)).toMatchObject({ equivalent: 1, percent: (100 * 3) / 7 });
  expect(note(report, judged)).toContain(
    '| tiny/src/age.ts | `return age >= 18;` | `return age > 18;` | no |',
  );

  // Everything is known: nothing is run again, unless it is asked for, or the source is another.
  lines.length = 0;
  expect(await runPart(options)).toEqual(report);
  expect(lines).toEqual(['tiny: 9 mutants, 9 drawn, 0 to be run']);
  expect(readFileSync(join(root, 'packages/tiny/src/age.ts'), 'utf8')).toContain('age >= 18');
});

describe('a test file that is stopped', () => {
  const mutant = findMutants('some.ts', 'f();')[0] as Mutant;
  /** A lane whose runs take so long, one after the other. */
  async function inLane(...takesMs: number[]): Promise<[Answer, string[]]> {
    const did: string[] = [];
    const lane = {
      write: (_path: string, text: string) => void did.push(text),
      run: (_file: string, limitMs: number): Promise<Answer> => {
        did.push(`at most ${limitMs} ms`);
        const ms = takesMs.shift() as number;
        return Promise.resolve({ outcome: ms > limitMs ? 'hung' : 'green', what: '', ms });
      },
    };
    return [await runOn(lane, mutant, 'f();', { file: 'some.test.ts', ms: 1000 }, 8000), did];
  }

  test('is measured again, and gets as much more time as the machine is busier', async () => {
    const [answer, did] = await inLane(11_001, 7000, 20_000);
    expect(answer).toMatchObject({ outcome: 'green', ms: 20_000 });
    expect(did).toEqual(['at most 11000 ms', 'f();', 'at most 600000 ms', '{}', 'at most 29000 ms']);
    expect((await inLane(11_001, 7000, 29_001))[0].outcome).toBe('hung');
  });

  test('hangs if the machine is as quick as before', async () => {
    expect((await inLane(11_001, 1000))[0].outcome).toBe('hung');
    expect((await inLane(11_000))[0].outcome).toBe('green');
  });

  test('ends the run if it hangs without the mutant', async () => {
    await expect(inLane(11_001, 600_001)).rejects.toThrow('some.test.ts is hung on unbroken sources');
  });
});

test('a test file that blocks is stopped at its limit, and the next one runs', async () => {
  const lane = await Lane.open(tinyCheckout(), { sources: [], tests: ['packages/tiny/'] });
  onTestFinished(() => lane.close());
  const [file = ''] = lane.testFiles;
  expect(await lane.run(file, 120_000)).toMatchObject({ outcome: 'green' });
  const source = readFileSync(join(lane.directory, 'packages/tiny/src/age.ts'), 'utf8');
  lane.write('packages/tiny/src/age.ts', source.replace('while (forever)', 'while (true)'));
  expect(await lane.run(file, 3000)).toMatchObject({ outcome: 'hung' });
  lane.write('packages/tiny/src/age.ts', source.replace('>= 18', '< 18'));
  expect(await lane.run(file, 120_000)).toMatchObject({
    outcome: 'red',
    what: 'a child is none: expected true to be false // Object.is equality',
  });
  lane.write('packages/tiny/src/age.ts', source);
  expect(await lane.run(file, 120_000)).toMatchObject({ outcome: 'green' });
});

test('lanes side by side run their own sources, each after each change', async () => {
  const part = { sources: [], tests: ['packages/tiny/'] };
  const root = tinyCheckout();
  const lanes = await Promise.all([Lane.open(root, part), Lane.open(root, part)]);
  onTestFinished(async () => void (await Promise.all(lanes.map((lane) => lane.close()))));
  const source = readFileSync(join(root, 'packages/tiny/src/age.ts'), 'utf8');
  for (let round = 0; round < 10; round++) {
    const faults = [round % 2 === 0, round % 3 === 0];
    const answers = lanes.map((lane, i) => {
      lane.write('packages/tiny/src/age.ts', faults[i] ? source.replace('>= 18', '< 18') : source);
      return lane.run('packages/tiny/age.test.ts', 120_000);
    });
    expect((await Promise.all(answers)).map(({ outcome }) => outcome)).toEqual(
      faults.map((isFault) => (isFault ? 'red' : 'green')),
    );
  }
});

test('sources with hits write down which statements are executed, once', () => {
  const root = mkdtempSync(join(tmpdir(), 'curfew-mutate-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const source = 'function f(a) { if (a) return 1; return 2; }\nf(true); f(true);';
  writeFileSync(join(root, 'some.mjs'), withHits('some.ts', source, join(root, 'hits')));
  execFileSync(process.execPath, [join(root, 'some.mjs')]);
  const hits = readFileSync(join(root, 'hits'), 'utf8').trim().split('\n');
  const begins = ['function', 'f(true)', 'if (a)', 'f(true);'].map((text, i) =>
    i === 3 ? source.lastIndexOf(text) : source.indexOf(text),
  );
  expect(hits.toSorted()).toEqual(begins.map((at) => `some.ts:${at}`).toSorted());
});
