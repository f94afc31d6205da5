import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Tally } from './seeds.ts';

export const MAIN: string = fileURLToPath(new URL('./main.ts', import.meta.url));

/** Runs seeds in a process of its own, where a mutation can be loaded. */
export function runInChild(from: number, count: number, mutation?: string): Promise<Tally> {
  const args = ['--conditions=curfew-source', MAIN, '--json', '--from', `${from}`, '--seeds', `${count}`];
  if (mutation !== undefined) args.push('--mutation', mutation);
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let complaint = '';
    child.stdout.on('data', (data) => (out += String(data)));
    child.stderr.on('data', (data) => (complaint += String(data)));
    child.on('error', reject);
    child.on('close', () => {
      try {
        const tally = JSON.parse(out) as Tally;
        const thrown = tally.broken.find(({ invariant }) => invariant === 'thrown');
        // Code that cannot run proves nothing, also not about a mutation.
        if (thrown) reject(new Error(`seed ${thrown.seed}, ${mutation ?? 'no mutation'}: ${thrown.message}`));
        resolve(tally);
      } catch {
        // The output is no result: the error text says more.
        reject(new Error(`seeds ${from} and on, ${mutation ?? 'no mutation'}: ${complaint}`));
      }
    });
  });
}
