#!/usr/bin/env node
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(`Curfew needs Node 22.18 or newer; this is ${process.versions.node}.\n`);
  process.exit(1);
}
// After the version check: an older Node fails on the imports, with a less helpful message.
const { runCommand } = await import('./cli/command.ts');
// The reader of the output may stop reading (`| head`), which is not a failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
process.exitCode = await runCommand(process.argv.slice(2), process.env, process);
export {};
