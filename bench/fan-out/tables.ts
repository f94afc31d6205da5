import { simulate, type Layout, type Outcome } from './simulation.ts';
import type { UnitCosts } from './unit-costs.ts';

const NODES = 3;
const LEASE_MS = 1000;
/** Between machines of one data centre. */
const NETWORK_MS = 0.1;
const SEED = 20;
/** Acknowledgements that one row may simulate, so that all of them take a few seconds. */
const ACKNOWLEDGEMENTS = 400_000;

const ROWS: { verifiers: number; rate: number; relayFanOut?: number }[] = [
  { verifiers: 100, rate: 10 },
  { verifiers: 100, rate: 100 },
  { verifiers: 100, rate: 500 },
  { verifiers: 1000, rate: 10 },
  { verifiers: 1000, rate: 100 },
  { verifiers: 1000, rate: 100, relayFanOut: 100 },
  { verifiers: 1000, rate: 500, relayFanOut: 25 },
  { verifiers: 10_000, rate: 10 },
  { verifiers: 10_000, rate: 10, relayFanOut: 250 },
  { verifiers: 10_000, rate: 100, relayFanOut: 100 },
  { verifiers: 100_000, rate: 10, relayFanOut: 500 },
];

/** The fan-out of an ending as a table: three nodes, with and without relays. */
export function fanOutTable(costs: UnitCosts): string[] {
  return [
    '| verifiers | logouts per s | relays | a node is busy | a relay is busy | confirmed p50 | p99 |',
    '| ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...ROWS.map(({ verifiers, rate, relayFanOut }) => {
      const layout: Layout = {
        nodes: NODES,
        verifiers,
        ...(relayFanOut === undefined ? {} : { relayFanOut }),
        logoutsPerSecond: rate,
        leaseMs: LEASE_MS,
        networkMs: NETWORK_MS,
        logouts: Math.min(2000, Math.max(40, Math.floor(ACKNOWLEDGEMENTS / verifiers))),
        seed: SEED,
      };
      return rowOf(layout, simulate(costs, layout));
    }),
  ];
}

function rowOf({ verifiers, logoutsPerSecond }: Layout, outcome: Outcome): string {
  const { relays, nodeShare, relayShare, p50Ms, p99Ms } = outcome;
  const cells = [
    count(verifiers),
    count(logoutsPerSecond),
    relays === 0 ? 'none' : count(relays),
    share(nodeShare),
    relays === 0 ? '' : share(relayShare),
    p50Ms === undefined ? 'a core is not enough' : milliseconds(p50Ms),
    p99Ms === undefined ? '' : milliseconds(p99Ms),
  ];
  return `| ${cells.join(' | ')} |`;
}

/** The measured cost of one of each. */
export function unitCostTable(costs: UnitCosts): string[] {
  const rows: [string, string][] = [
    ['a logout, at its node', `${costs.logoutMicros.toFixed(0)} µs of a core`],
    ['an ending for one verifier, at its node', `${costs.endingMicros.toFixed(1)} µs of a core`],
    ['the same, where 32 clients log out at once', `${costs.sharedEndingMicros.toFixed(1)} µs of a core`],
    ['an ending, at a verifier', `${costs.verifierMicros.toFixed(1)} µs of a core`],
    ['a renewal for one verifier, at its node', `${costs.renewalMicros.toFixed(1)} µs of a core`],
    [
      'a verifier that is connected, at the default lease',
      `${((4 * costs.renewalMicros) / 1e4).toFixed(3)} % of a core`,
    ],
    ['a committed logout that waits for nobody', milliseconds(costs.commitMs)],
    ['one message between two processes of one machine', milliseconds(costs.hopMs)],
    ['other nodes: ring, read of the log, acknowledgement', milliseconds(costs.ringMs)],
    ['an ended id in a replica, in its tables', `${costs.endedIdBytes.toFixed(1)} bytes`],
    ['the same, growth of the whole process', `${costs.endedIdResidentBytes.toFixed(1)} bytes`],
    ['checks over HTTP, one core', `${count(costs.checksPerSecond)} per s`],
    ["checks in a verifier's process, one core", `${count(costs.localChecksPerSecond)} per s`],
    ['logouts, one core for the node', `${count(costs.logoutsPerSecond)} per s`],
    ['refreshes, one core for the node', `${count(costs.refreshesPerSecond)} per s`],
    ['logins with a password, one core', `${count(costs.loginsPerSecond)} per s`],
  ];
  return [
    '| one of these | costs |',
    '| --- | ---: |',
    ...rows.map(([what, cost]) => `| ${what} | ${cost} |`),
  ];
}

/** Assumptions about people. Nobody measured them: insert your own figures. */
const ASSUMED = {
  sessionsPerUser: 2,
  loginsPerUserAndDay: 0.2,
  logoutsPerUserAndDay: 0.1,
  refreshesPerUserAndDay: 10,
  peak: 5,
  /** A row of `user_sessions` with its indexes. */
  sessionBytes: 600,
  /** Endings are kept for the life of an access token and a minute. */
  keepSeconds: 360,
} as const;

/** From a thousand users to a hundred million, by multiplication. */
export function growthTable(costs: UnitCosts): string[] {
  return [
    '| users | sessions | in `user_sessions` | logins per s | refreshes per s | logouts per s | cores for logins | for refreshes | for logouts | ended ids in a replica |',
    '| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...[1e4, 1e5, 1e6, 1e7, 1e8].map((users) => {
      const peak = (perDay: number): number => (users * perDay * ASSUMED.peak) / 86_400;
      const logins = peak(ASSUMED.loginsPerUserAndDay);
      const refreshes = peak(ASSUMED.refreshesPerUserAndDay);
      const logouts = peak(ASSUMED.logoutsPerUserAndDay);
      const ended = logouts * ASSUMED.keepSeconds;
      const cells = [
        count(users),
        count(users * ASSUMED.sessionsPerUser),
        bytes(users * ASSUMED.sessionsPerUser * ASSUMED.sessionBytes),
        rate(logins),
        rate(refreshes),
        rate(logouts),
        rate(logins / costs.loginsPerSecond),
        rate(refreshes / costs.refreshesPerSecond),
        rate((logouts * costs.logoutMicros) / 1e6),
        `${count(ended)}, ${bytes(ended * costs.endedIdResidentBytes)}`,
      ];
      return `| ${cells.join(' | ')} |`;
    }),
  ];
}

const count = (value: number): string => Math.round(value).toLocaleString('en');
const share = (value: number): string => `${(value * 100).toFixed(value < 0.1 ? 1 : 0)} %`;
const milliseconds = (value: number): string => `${value.toFixed(value < 10 ? 2 : 0)} ms`;
const rate = (value: number): string => (value < 10 ? Number(value.toPrecision(2)).toString() : count(value));

function bytes(value: number): string {
  if (value >= 1e9) return `${count(value / 1e9)} GB`;
  return value >= 1e6 ? `${count(value / 1e6)} MB` : `${(value / 1e3).toFixed(value < 1e4 ? 1 : 0)} kB`;
}
