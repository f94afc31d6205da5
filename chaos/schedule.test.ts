import { expect, test } from 'vitest';
import { episodes, type Stage } from './schedule.ts';

const STAGE: Stage = {
  nodes: ['node1', 'node2', 'node3'],
  backEnds: ['back-end1', 'back-end2'],
  links: {
    postgres: ['node1-postgres', 'node2-postgres', 'node3-postgres'],
    redis: ['node1-redis', 'node2-redis', 'node3-redis'],
    feed: ['v1-node1', 'v2-node2', 'v2-node3'],
  },
  leaseMs: 700,
};
const FAMILIES = [/^(cut|hole|slow|late)/, /-(node|back-end)$/, /-redis$/, /-postgres$/];

const kindsOf = (seed: number, count: number): string[] => {
  const kinds: string[] = [];
  for (const { faults } of episodes(seed, STAGE)) {
    kinds.push(...faults.map(({ kind }) => kind));
    if (kinds.length >= count) return kinds.slice(0, count);
  }
  return kinds;
};

test('the first four faults befall links, processes, Redis and PostgreSQL, and the first 18 are of all kinds', () => {
  for (let seed = 0; seed < 300; seed++) {
    const first = kindsOf(seed, 4);
    for (const family of FAMILIES) expect(first.some((kind) => family.test(kind))).toBe(true);
    expect(new Set(kindsOf(seed, 18)).size).toBe(18);
  }
});
