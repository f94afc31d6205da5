import { PassThrough, Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../../src/cli/commands.ts';
import { Failed } from '../../src/cli/declare.ts';
import { explain } from '../../src/cli/explain.ts';
import { renderHelp } from '../../src/cli/help.ts';
import { askHidden, readPiped } from '../../src/cli/secret.ts';
import { changingLine, plain, plainLines, table } from '../../src/cli/terminal.ts';
import { run } from './processes.ts';

describe('help', () => {
  test('covers everything, some commands, or one', async () => {
    const [nothing, all, some, one, flag] = await Promise.all([
      run([]),
      run(['help']),
      run(['help', 'user']),
      run(['help', 'user', 'add']),
      run(['user', 'add', '--help', '--password']),
    ]);
    expect(nothing).toMatchObject({ code: 2, out: '' });
    expect(all).toMatchObject({ code: 0, out: nothing.err, err: '' });
    for (const { words, summary } of COMMANDS)
      expect(all.out).toMatch(new RegExp(`^ {2}${words} +${summary}$`, 'm'));
    expect(some.out).toContain('  user password  ');
    expect(some.out).not.toContain('keys rotate');
    expect(one).toMatchObject({ code: 0, out: flag.out });
    expect(one.out).toContain('Usage: curfew user add EMAIL [OPTIONS]');
  });

  test('of each command names every option and the exit codes', () => {
    for (const command of COMMANDS) {
      const text = renderHelp(command);
      for (const name of Object.keys(command.options ?? {})) expect(text).toContain(`  --${name}`);
      expect(text).toContain('--json');
      expect(text).toMatch(/Exit codes:\n {2}0 .*\n {2}1 .*\n {2}2 .*\n {2}3 /);
      expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(96);
    }
  });
});

test('an invalid command line is explained', async () => {
  const wrong = [
    ['frob'],
    ['user'],
    ['user', 'frob'],
    ['user', 'add', 'a@example.com', '--password', 'hunter22222'],
    ['user', 'password', '2', 'hunter22222'],
    ['version', 'hunter22222'],
    ['migrate', '--url', 'http://localhost'],
    ['user', 'add', 'nobody', '--generate'],
    ['user', 'add', 'new@example.com'],
    ['user', 'list', '--limit', '0'],
    ['user', 'role', '2', 'king'],
    ['sessions', 'end', 'sess_1'],
    ['logout'],
    ['logout', '--user', '2', '--everyone'],
    ['logout', '--device', 'phone'],
    ['logout', '--user', '2', '--yes'],
    ['logout', '--everyone', '--confirm', 'all'],
    ['logout', '--users', ' , '],
  ];
  // On a PostgreSQL that is not there: nothing of this needs one to be refused.
  for (const args of wrong) {
    const { code, out, err } = await run(args, { DATABASE_URL: 'postgres://127.0.0.1:1/none' });
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(/^curfew: .*\n$/);
    // It may be a password.
    expect(err).not.toContain('hunter');
  }
});

test('version prints the version', async () => {
  const { code, json } = await run(['version', '--json']);
  expect({ code, json }).toEqual({ code: 0, json: { curfew: '0.1.0', node: process.versions.node } });
});

test('a command without a database creates none', async () => {
  const { code, err } = await run(['user', 'list'], { CURFEW_DATA: './nowhere' });
  expect(code).toBe(1);
  expect(err).toMatch(/^curfew: no database in \.\/nowhere yet\./);
});

test('an unexpected failure is one line, without its stack and without a secret', () => {
  const error = new TypeError('bad\n  at postgres://me:hunter22222@db/x with sess_0123456789abcdef0123');
  expect(explain(error)).toEqual({
    code: 1,
    sentence: 'TypeError: bad at postgres://me:[redacted]@db/x with [redacted]',
  });
  const twice = new AggregateError([
    Object.assign(new Error(''), { code: 'ECONNREFUSED', address: '::1', port: 5 }),
  ]);
  expect(explain(twice).sentence).toBe('nothing listens at ::1:5. Is the database running?');
  expect(explain(new Failed('it broke.'))).toEqual({ code: 1, sentence: 'it broke.' });
});

describe('the terminal', () => {
  const written = (): { write: (text: string) => void; text: () => string } => {
    let all = '';
    return { write: (text) => void (all += text), text: () => all };
  };

  test('a password is read without echo, with corrections', async () => {
    const modes: boolean[] = [];
    const input = Object.assign(new PassThrough(), { setRawMode: (mode: boolean) => modes.push(mode) });
    const output = written();
    const answers = askHidden(['New: ', 'Again: '], input as never, output);
    input.write('wrong\u0015sesx');
    input.write('\u007fame\r');
    input.write('sesame\n');
    expect(await answers).toEqual(['sesame', 'sesame']);
    expect(output.text()).toBe('New: \nAgain: \n');
    expect(modes).toEqual([true, false]);
  });

  test('Ctrl-C cancels', async () => {
    const input = Object.assign(new PassThrough(), { setRawMode: () => undefined });
    const answers = askHidden(['New: '], input as never, written());
    input.write('half\u0003');
    await expect(answers).rejects.toThrow('Nothing was changed');
  });

  test('foreign text cannot steer the terminal', () => {
    expect(plain('a\u001b[2Jb\u009bc\u202ed\n')).toBe('a\ufffd[2Jb\ufffdc\ufffdd\ufffd');
    expect(table(['A', 'B'], [['\u001b', 'x']])).toBe('A  B\n\ufffd  x');
  });

  test('progress is one changing line on a terminal, and a few lines elsewhere', () => {
    const [changing, lines] = [written(), written()];
    for (const progress of [changingLine(changing), plainLines(lines)]) {
      for (const step of ['1 of 3', '2 of 3', '3 of 3']) progress.show(step);
      progress.end('3 of 3');
    }
    expect(changing.text()).toBe(
      ['1 of 3', '2 of 3', '3 of 3', '3 of 3'].map((step) => `\r\u001b[2K${step}`).join('') + '\n',
    );
    expect(lines.text()).toBe('1 of 3\n3 of 3\n');
  });
});

describe('a password on standard input', () => {
  const piped = (...chunks: Buffer[]): Promise<string> => readPiped(Readable.from(chunks));

  test('is decoded as a whole, wherever the chunks divide it', async () => {
    const bytes = Buffer.from('zażółć gęślą jaźń\n');
    for (let i = 1; i < bytes.length; i++)
      expect(await piped(bytes.subarray(0, i), bytes.subarray(i))).toBe('zażółć gęślą jaźń');
  });

  test('that is not UTF-8 is refused', async () => {
    await expect(piped(Buffer.from('gęślą'), Buffer.from([0xff, 0x0a]))).rejects.toThrow('is not UTF-8');
  });
});
