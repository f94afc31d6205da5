/** The log's way out, over a real pipe. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openLogOutput } from '../../src/system/log-output.ts';
import { makeScratch } from '../services/scratch.ts';

let reader: number;
let writer: number;
beforeEach(() => {
  const path = join(makeScratch('pipe'), 'log');
  execFileSync('mkfifo', [path]);
  reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
});
afterEach(() => {
  for (const fd of [reader, writer]) closeSync(fd);
});

/** The text that can be read now. */
function read(): string {
  const buffer = Buffer.alloc(1024 * 1024);
  try {
    return buffer.toString('utf8', 0, readSync(reader, buffer));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return '';
    throw error;
  }
}

const lineOf = (n: number): string => `${n} ${'ż'.repeat(90)}\n`;

test('writes every line once and in order, however slow the reader', async () => {
  const output = openLogOutput(writer);
  const lines = Array.from({ length: 3000 }, (_, n) => lineOf(n));
  for (const line of lines) output.write(line);
  let got = Buffer.alloc(0);
  const all = lines.join('');
  await expect
    .poll(
      () => {
        const buffer = Buffer.alloc(32 * 1024);
        try {
          got = Buffer.concat([got, buffer.subarray(0, readSync(reader, buffer))]);
        } catch {
          // Nothing is there at this moment.
        }
        return got.length;
      },
      { interval: 5 },
    )
    .toBe(Buffer.byteLength(all));
  expect(got.toString('utf8')).toBe(all);
});

test('drops unread lines above a bound, and counts them', async () => {
  const output = openLogOutput(writer, 10_000);
  const most = 4000;
  for (let n = 0; n < most; n++) {
    output.write(lineOf(n));
    if (n % 50 === 0) await new Promise((turn) => setImmediate(turn));
  }
  let got = '';
  await expect.poll(() => (got += read()), { interval: 5 }).toContain('"lost":');
  output.write('the last\n');
  await expect.poll(() => (got += read()), { interval: 5 }).toContain('the last\n');
  const lines = got.trimEnd().split('\n');
  const lost = lines.flatMap((line) => (line.startsWith('{') ? [JSON.parse(line).lost as number] : []));
  const kept = lines.filter((line) => /^\d+ ż/.test(line)).length;
  expect(lost.reduce((sum, some) => sum + some, kept)).toBe(most);
  expect(kept).toBeLessThan(most / 2);
});

test('a process that ends during a write writes nothing twice', async () => {
  const source = join(import.meta.dirname, '../../src/system/log-output.ts');
  const program = `
    import { openLogOutput } from ${JSON.stringify(source)};
    const output = openLogOutput(1);
    for (let n = 0; n < 20000; n++) output.write(n + ' ' + 'z'.repeat(90) + '\\n');
    setTimeout(() => process.exit(), 300);
  `;
  // Its standard output is a pipe, as in a service: a write to it waits for the reader.
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child, 'spawn');
  await sleep(1500);
  let got = '';
  child.stdout.on('data', (chunk: Buffer) => (got += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number];
  expect(code).toBe(0);
  const numbers = got
    .split('\n')
    .flatMap((line) => (/^\d+ z{90}$/.test(line) ? [Number(line.split(' ', 1)[0])] : []));
  expect(numbers.length).toBeGreaterThan(100);
  expect(numbers).toEqual(numbers.map((_, n) => n));
});
