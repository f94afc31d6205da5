/** `npm run mutate -- --help`: puts small faults into the sources, one at a time, and finds out whether a test notices. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { JUDGED } from './judged.ts';
import { isEquivalent, score, writeNote } from './page.ts';
import { PARTS } from './parts.ts';
import { readReport } from './report.ts';
import { runPart } from './run-part.ts';

const HELP = `npm run mutate -- <part> [options]

  Parts: ${Object.keys(PARTS).join(', ')}

  --sample N   draw N mutants of the part (300)
  --seed S     another sample (1)
  --lanes N    so many at a time, each with a copy of the checkout and services of its own (one for each core)
  --patience S how many seconds tests may stay green before a mutant counts as survived (60)
  --again      run those again that nothing has noticed
  --note       write the figures and the survivors into docs/mutants.md, and run nothing

  Results are kept in .mutate/<part>.json: a run that was ended goes on where it was.
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sample: { type: 'string', default: '300' },
    seed: { type: 'string', default: '1' },
    lanes: { type: 'string', default: String(availableParallelism()) },
    patience: { type: 'string', default: '60' },
    again: { type: 'boolean', default: false },
    note: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

async function main(): Promise<void> {
  const [name = ''] = positionals;
  const part = PARTS[name];
  if (values.help || part === undefined) {
    print(HELP);
    if (!values.help) process.exitCode = 1;
    return;
  }
  const root = join(import.meta.dirname, '../..');
  const file = join(root, '.mutate', `${name}.json`);
  if (values.note) {
    const report = readReport(file);
    if (report === undefined) throw new Error(`nothing is known of ${name} yet: npm run mutate -- ${name}`);
    return writeNote(report, JUDGED);
  }
  const [sample, seed, lanes] = [Number(values.sample), Number(values.seed), Number(values.lanes)];
  const began = performance.now();
  const report = await runPart({
    root,
    name,
    part,
    file,
    sample,
    seed,
    lanes,
    slackMs: 8000,
    patienceMs: 1000 * Number(values.patience),
    again: values.again,
    print,
    isEquivalent: (lines) => isEquivalent(lines, JUDGED),
  });
  const { killed, hung, refused, equivalent, survived, percent } = score(report, JUDGED);
  print(
    `${name}: ${killed} killed, ${hung} stopped at the limit, ${refused} refused by types or lint, ${equivalent} equivalent, ` +
      `${survived.length} survived: ${percent.toFixed(1)} %, in ${((performance.now() - began) / 60_000).toFixed(1)} minutes`,
  );
}

await main();
