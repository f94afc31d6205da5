#!/usr/bin/env node
import { nodeFault } from './system/node-version.ts';

const fault = nodeFault(process.versions.node);
if (fault !== null) {
  process.stderr.write(`${fault}\n`);
  process.exit(1);
}
// After the version check: an older Node fails on the imports, with a less helpful message.
const { runCommand } = await import('./cli/command.ts');
// The reader of the output may stop reading (`| head`), which is not a failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
process.exitCode = await runCommand(process.argv.slice(2), process.env, process);
