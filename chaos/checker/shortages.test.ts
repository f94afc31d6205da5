/** What a run must contain, so that its verdict is valid. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Line } from '../lines.ts';
import { add, emptyHistory } from './history.ts';
import { judge } from './judge.ts';
import { shortages } from './shortages.ts';
import { LEASE, answer, check, fault, login, logout, us } from './made-lines.ts';

describe('the least of each thing that a run needs', () => {
  const SCOPES = [
    'this',
    'others',
    'all',
    'this, not waited for',
    'selected',
    'device',
    'by id',
    '001',
    '002',
    '003',
    '004, this',
    '004, others',
    '004, all',
    'admin, sessions',
    'admin, user',
    'admin, users',
    'admin, device',
    'admin, client',
    'admin, everyone',
    'admin, list, a part twice',
    'admin, one of a list',
  ];
  /** A second of faults, with enough of everything. */
  function enough(): Line[] {
    const lines: Line[] = [login(1)];
    for (const [i, scope] of SCOPES.entries()) {
      const one = logout(i, { s: [1] }, 100);
      if (one.t === 'logout') lines.push({ ...one, scope }, answer(i, 110));
    }
    lines.push(logout(99, { s: [1] }, 100), answer(99, 120, { status: 503, confirmed: false }));
    const outcomes = ['memory', 'authority', 'yes', 'ended', 'stale'];
    for (let i = 0; i < 100; i++)
      for (const [j, k] of ['jwt', 'access', 'session', 'cookie'].entries())
        lines.push({ ...check(1, 111, 112, outcomes[(i + j) % 5] ?? ''), k });
    lines.push({ ...check(1, 111, 112, 'memory', 'believer'), t: 'believer' });
    for (const what of ['acknowledgements', 'repetitions', 'nonsense', 'copies'])
      lines.push({ t: 'forged', what, count: 1, at: us(100) });
    for (const [i, kind] of ['cut', 'kill-node', 'flush-redis', 'restart-postgres'].entries())
      lines.push(...fault(i, kind, [], 50, 60));
    return lines;
  }
  function missing(lines: Line[], seconds = 1): string[] {
    const history = emptyHistory();
    for (const line of lines) add(history, line);
    return shortages(history, judge(history, LEASE), seconds);
  }

  /** The program itself, as a campaign starts it. */
  function verdictOn(lines: Line[], ...more: string[]): { passed: boolean; report: string } {
    const directory = mkdtempSync(join(tmpdir(), 'curfew-checker-'));
    const whole: Line[] = [...lines, { t: 'mark', what: 'last look ends', at: us(5000) }];
    writeFileSync(join(directory, 'all.jsonl'), whole.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const program = join(import.meta.dirname, '..', 'checker.ts');
    const { status, stdout } = spawnSync(
      process.execPath,
      [program, directory, String(LEASE), '1', ...more],
      {
        encoding: 'utf8',
      },
    );
    rmSync(directory, { recursive: true });
    return { passed: status === 0, report: stdout };
  }

  test('is there, and a run without violations passes; with one late accept it fails', () => {
    const sound = enough().map((line) =>
      line.t === 'c' && /memory|authority|yes/.test(line.o) ? { ...line, b: us(50), e: us(51) } : line,
    );
    expect(verdictOn(sound)).toEqual({
      passed: true,
      report: expect.stringContaining('The guarantee held.'),
    });
    const late = verdictOn([...sound, check(1, 115, 116, 'memory')]);
    expect(late).toEqual({ passed: false, report: expect.stringMatching(/\nG1: 1\n[^]*FAILED/) });
    expect(verdictOn(sound.filter((line) => line.t !== 'believer')).passed).toBe(false);
    expect(verdictOn([login(1)], '--so-far').passed).toBe(false);
    expect(verdictOn(sound, '--so-far')).toEqual({ passed: true, report: '' });
  });

  test('is missed in a run in which nothing happened', () => {
    expect(missing([]).length).toBeGreaterThan(40);
  });

  test('is there, or each thing that is not is named', () => {
    expect(missing(enough())).toEqual([]);
    const without = (named: (line: Line) => boolean): string[] =>
      missing(enough().filter((line) => !named(line)));
    for (const k of ['jwt', 'access', 'session', 'cookie'])
      expect(without((line) => line.t === 'c' && line.k === k)).toEqual([
        `checks of kind ${k}: 0, at least 1 are needed`,
      ]);
    for (const scope of SCOPES)
      expect(without((line) => line.t === 'logout' && line.scope === scope)).toEqual([
        `logouts of scope ${scope}: 0, at least 1 are needed`,
      ]);
    for (const what of ['acknowledgements', 'repetitions', 'nonsense', 'copies'])
      expect(without((line) => line.t === 'forged' && line.what === what)).toEqual([
        expect.stringContaining(`forged ${what}: 0`),
      ]);
    expect(without((line) => line.t === 'believer')).toEqual([
      'late accepts of the believer that were found: 0, at least 1 are needed',
    ]);
    for (const [kind, family] of [
      ['cut', 'links'],
      ['kill-node', 'processes'],
      ['flush-redis', 'redis'],
      ['restart-postgres', 'postgres'],
    ])
      expect(without((line) => line.t === 'fault' && line.kind === kind)).toEqual([
        `faults of ${family}: 0, at least 1 are needed`,
      ]);
  });

  test('of logouts is that they succeeded', () => {
    const failed = enough().map((line) =>
      line.t === 'answer' && line.id === 0 ? { ...line, status: 503, confirmed: false } : line,
    );
    expect(missing(failed)).toEqual(['logouts of scope this: 0, at least 1 are needed']);
  });

  test('in a long run are all kinds of faults', () => {
    expect(missing(enough(), 50)).toContain('faults of kind kill-postgres: 0, at least 1 are needed');
    expect(missing(enough(), 50).filter((line) => line.startsWith('faults of kind'))).toHaveLength(14);
  });
});
