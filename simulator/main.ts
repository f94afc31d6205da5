/** `npm run simulate -- --help` */
import { parseArgs } from 'node:util';
import { mutate } from './mutate.ts';

const HELP = `npm run simulate -- [options]

  --seeds N        run N seeds (1000)
  --from S         the first of them (1)
  --seed S         run one seed; --history prints what happened in it
  --without A,B    ... without these kinds of faults
  --mutation NAME  with a fault put into the source, until it is found (see mutations.ts)
  --campaign FILE  run --seeds N and note in FILE where it stands; again, it goes on from there
  --note FILE,FILE write the figures of a campaign, or of its parts, as far as it is, into docs/mutations.md
  --table          run every mutation, and write docs/mutations.md
  --json           print the result as JSON
`;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    history: { type: 'boolean', default: false },
    without: { type: 'string' },
    mutation: { type: 'string' },
    campaign: { type: 'string' },
    note: { type: 'string' },
    table: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

async function main(): Promise<boolean> {
  if (values.help) {
    print(HELP);
    return true;
  }
  if (values.mutation !== undefined) mutate(values.mutation);
  if (values.note !== undefined) {
    const { noteCampaign } = await import('./campaign.ts');
    noteCampaign(values.note.split(','));
    return true;
  }
  if (values.table) {
    const { writeTable } = await import('./table.ts');
    return writeTable(print);
  }
  // Loads the protocol only now, because a mutation must be in place before.
  const { inWords, needless, replay, runSeeds } = await import('./seeds.ts');
  const { FAULTS } = await import('./plan.ts');
  const [from, count] = [Number(values.from), Number(values.seeds)];
  if (values.seed !== undefined) {
    const named = values.without?.split(',') ?? [];
    const without = FAULTS.filter((fault) => named.includes(fault));
    const outcome = replay(Number(values.seed), without, values.history);
    for (const line of outcome.history) print(line);
    print(`seed ${values.seed}: ${outcome.broken?.message ?? 'everything held'}`);
    print(`faults: ${outcome.faults.join(' ') || 'none'}`);
    if (outcome.broken) print(`it fails as well --without ${needless(outcome, without).join(',')}`);
    return outcome.broken === null;
  }
  if (values.campaign !== undefined) {
    const { campaign } = await import('./campaign.ts');
    return campaign(values.campaign, from, count, print);
  }
  const tally = runSeeds(from, count, values.mutation !== undefined);
  if (values.json) print(JSON.stringify(tally));
  else {
    print(inWords(tally));
    for (const { seed, message } of tally.broken.slice(0, 20)) print(`seed ${seed}: ${message}`);
    const [first] = tally.broken;
    if (first && values.mutation === undefined) {
      const outcome = replay(first.seed, [], true);
      print(`\nThe history of seed ${first.seed}, faults: ${outcome.faults.join(' ')}\n`);
      for (const line of outcome.history) print(line);
      print(`\nit fails as well --without ${needless(outcome, []).join(',')}`);
    }
  }
  return tally.broken.length === 0;
}

process.exitCode = (await main()) ? 0 : 1;
