import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LOAD_CORE, pinned } from '../machine/cores.ts';
import type { LoadFigures } from './figures.ts';

const run = promisify(execFile);

export const hasWrk: boolean = spawnSync('wrk', ['-v']).error === undefined;

/**
 * wrk is written in C and can send more requests than any generator in JavaScript. It has one thread, because it has one core; the script
 * uses the credentials in turn.
 */
export async function runWrk(plan: {
  port: number;
  connections: number;
  seconds: number;
  requests: string[];
}): Promise<LoadFigures> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-wrk-'));
  try {
    const script = join(folder, 'rotate.lua');
    await writeFile(script, rotationScript(plan.requests));
    const [command, args] = pinned(LOAD_CORE, 'wrk', [
      '--threads=1',
      `--connections=${plan.connections}`,
      `--duration=${plan.seconds}s`,
      '--timeout=5s',
      '--latency',
      `--script=${script}`,
      `http://127.0.0.1:${plan.port}/`,
    ]);
    const { stdout } = await run(command, args);
    const line = stdout.split('\n').find((text) => text.startsWith('{'));
    if (line === undefined) throw new Error(`wrk said nothing to read: ${stdout}`);
    const { answered, microseconds, p50, p99, statusErrors, broken } = JSON.parse(line) as Record<
      'answered' | 'microseconds' | 'p50' | 'p99' | 'statusErrors' | 'broken',
      number
    >;
    const errors: Record<string, number> = {};
    if (statusErrors > 0) errors['4xx or 5xx'] = statusErrors;
    if (broken > 0) errors['broken'] = broken;
    return {
      perSecond: (answered - statusErrors) / (microseconds / 1e6),
      p50: p50 / 1000,
      p99: p99 / 1000,
      answered,
      errors,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function rotationScript(requests: string[]): string {
  // JSON's escapes for the characters that occur in a request (quote, backslash, CR, LF) are Lua's too.
  return `local requests = {
${requests.map((request) => JSON.stringify(request)).join(',\n')}
}
local next = 0
request = function()
  next = next % #requests + 1
  return requests[next]
end
done = function(summary, latency)
  io.write(string.format(
    '{"answered":%d,"microseconds":%d,"p50":%d,"p99":%d,"statusErrors":%d,"broken":%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
`;
}
