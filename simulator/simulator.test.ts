import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { budget } from '../packages/server/test/services/budget.ts';
import { MAIN, runInChild } from './child.ts';
import { mutated } from './mutate.ts';
import { MUTATIONS } from './mutations.ts';
import { replay } from './seeds.ts';
import { BUDGET, knownSeeds } from './table.ts';

// Each run is a separate process, so that it can load a mutation.
const SEEDS = budget('SEEDS');

test(`the guarantee holds under ${SEEDS} seeds`, { tags: 'long', timeout: 300_000 }, async () => {
  const tally = await runInChild(1, SEEDS);
  expect(tally.broken).toEqual([]);
  expect(tally.seeds).toBe(SEEDS);
  // The runs must contain events: a simulation without events proves nothing.
  expect(tally.checks / SEEDS).toBeGreaterThan(30);
  expect(tally.confirmations / SEEDS).toBeGreaterThan(8);
});

test('a seed replays to the letter, with and without its history', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const [first, second, quiet] = [replay(seed, [], true), replay(seed, [], true), replay(seed, [], false)];
    expect(second).toEqual(first);
    expect(quiet).toEqual({ ...first, history: [] });
    expect(first.history.length).toBeGreaterThan(20);
  }
  expect(replay(1, ['crashes', 'drift'], false).faults).not.toContain('crashes');
});

test('a seed that fails prints what happened, and which faults it does not need', () => {
  const args = ['--mutation', 'success-before-commit', '--seed', '1', '--history'];
  const { stdout, status } = spawnSync(process.execPath, ['--conditions=curfew-source', MAIN, ...args], {
    encoding: 'utf8',
  });
  expect(status).toBe(1);
  expect(stdout).toMatch(/^ +\d+\.\d\d  node-\d +is asked to end /m);
  expect(stdout).toContain('seed 1: loud failure: ');
  // This mutation shows without any fault.
  const [, needless] = /it fails as well --without (\S+)/.exec(stdout) ?? [];
  const [, faults] = /^faults: (.*)$/m.exec(stdout) ?? [];
  expect(needless?.split(',').toSorted()).toEqual(faults?.split(' ').toSorted());
});

describe('mutations', () => {
  test('each point of the guarantee has one, and each fits the sources', () => {
    const points = new Set(MUTATIONS.map(({ point }) => point));
    expect([...points].toSorted((a, b) => a - b)).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 17,
    ]);
    expect(new Set(MUTATIONS.map(({ name }) => name)).size).toBe(MUTATIONS.length);
    for (const mutation of MUTATIONS) {
      const source = readFileSync(new URL(`../${mutation.file}`, import.meta.url), 'utf8');
      expect(mutated(mutation, source)).not.toBe(source);
    }
  });

  // Begins with the seed that found it when the table was written, so that the test is quick, and goes on to the end of the budget. Without
  // the mutation these very seeds pass: they are among those above, or among those of the long run. For each point, a short run takes the
  // mutations that are found soonest.
  test('each is found within the budget', { tags: 'long', timeout: 300_000 }, async () => {
    const known = knownSeeds();
    const seeds = MUTATIONS.map(({ name, point }) => ({ name, point, from: known.get(name) ?? 0 }));
    for (const { name, from } of seeds)
      expect(from, `${name} is not in docs/mutations.md: npm run simulate -- --table`).toBeGreaterThan(0);
    const soonest = Map.groupBy(
      seeds.toSorted((a, b) => a.from - b.from),
      ({ point }) => point,
    );
    for (const { name, from } of [...soonest.values()].flatMap((all) => all.slice(0, budget('MUTATIONS')))) {
      const { broken } = await runInChild(from, BUDGET - from + 1, name);
      expect(broken, `nothing notices ${name}`).toHaveLength(1);
    }
  });
});
