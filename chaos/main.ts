/** `npm run chaos -- --seconds 600 [--seed N]`: real processes under faults, and the verdict on what they did. */
import { rmSync } from 'node:fs';
import { runCampaign } from './campaign.ts';
import { readOptions, USAGE } from './options.ts';

const print = (text: string): void => void process.stdout.write(`${text}\n`);

async function main(): Promise<number> {
  let options: ReturnType<typeof readOptions>;
  try {
    options = readOptions(process.argv.slice(2));
  } catch (error) {
    print(`${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  print(`seed ${options.seed}, lease ${options.leaseMs} ms, ${options.seconds} s of faults`);
  const { passed, report, directory } = await runCampaign(options);
  print(report);
  if (passed && !options.keep) rmSync(directory, { recursive: true, force: true });
  else print(`history: ${directory}`);
  return passed ? 0 : 1;
}

process.exitCode = await main();
