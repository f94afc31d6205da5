import { expect, test } from 'vitest';
import { describeBusy, watchProcessorTime } from './processor-time.ts';

test('work of this process counts as load', () => {
  const stop = watchProcessorTime({ databases: { postgres: [], redis: [] } });
  const until = process.cpuUsage().user + 100_000;
  while (process.cpuUsage().user < until);
  expect(stop().load).toBeGreaterThan(0);
});

test('a database counts with the processes that it starts, and one elsewhere does not count', () => {
  const stop = watchProcessorTime({ databases: { postgres: [process.pid], redis: [] } });
  const until = process.cpuUsage().user + 100_000;
  while (process.cpuUsage().user < until);
  const busy = stop();
  expect(busy.postgres).toBeGreaterThan(0);
  expect(busy).not.toHaveProperty('redis');
});

test.each([
  [{ server: 0.97, load: 0.5, postgres: 0.004 }, 'server 0.97, load 0.50; full: the server'],
  [{ server: 0.6, load: 0.93 }, 'load 0.93, server 0.60; full: the load'],
  [
    { server: 0.5, load: 0.5, verifiers: 0.45 },
    "server 0.50, load 0.50, verifiers 0.45; full: load and verifiers' core",
  ],
  [{ server: 0.7, load: 0.4, postgres: 0.75 }, 'PostgreSQL 0.75, server 0.70, load 0.40; full: both cores'],
  [{ server: 0.2, redis: 0.1 }, 'server 0.20, Redis 0.10'],
  [{}, '–'],
])('a figure names its parties, the busiest first, and what is full: %j', (busy, text) => {
  expect(describeBusy(busy, true)).toBe(text);
});

test('without pinned processes no core is one party’s', () => {
  expect(describeBusy({ load: 0.5, verifiers: 0.5 }, false)).toBe('load 0.50, verifiers 0.50');
});
