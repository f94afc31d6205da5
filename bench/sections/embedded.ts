import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bench } from '../bench.ts';
import { Curfew } from '../candidates/curfew.ts';
import { withRatios, type Section } from '../figure.ts';
import { measureInRounds, type Entry } from '../rounds.ts';
import { loginEntry } from './login.ts';
import { logoutEntry } from './single-use.ts';

const USERS = 20;
/** One after the other, each logout waits for its own commit. Many at a time share commits. */
const CONNECTIONS = [1, 32];

interface Store {
  id: string;
  label: string;
  durable: boolean;
  start: () => Promise<Curfew>;
}

/** Logouts and logins on the embedded database, with and without fsync, beside PostgreSQL. */
export async function measureEmbedded(bench: Bench): Promise<Section> {
  const scratch = await mkdtemp(join(tmpdir(), 'curfew-bench-'));
  const stores: Store[] = [
    {
      id: 'postgres',
      label: 'PostgreSQL',
      durable: true,
      start: async () => {
        const databaseUrl = await bench.services.makeDatabase('beside_embedded');
        return Curfew.startNode({ databaseUrl, redisUrl: undefined, users: USERS });
      },
    },
    ...[true, false].map((fsync) => ({
      id: fsync ? 'embedded' : 'embedded-without-fsync',
      label: `embedded database${fsync ? '' : ', without fsync'}`,
      durable: fsync,
      start: () => Curfew.startEmbedded({ data: join(scratch, String(fsync)), fsync, users: USERS }),
    })),
  ];
  const started: Curfew[] = [];
  const entries: Entry[] = [];
  try {
    for (const store of stores) {
      const curfew = await store.start();
      started.push(curfew);
      entries.push(...entriesOf(bench, store, curfew));
    }
    return withRatios({
      id: 'embedded',
      title: 'The embedded database beside PostgreSQL',
      method:
        'The Node generator, the servers side by side on one core; for logouts a fresh session for every request, refused afterwards, by sample.',
      columns: [
        { value: 'perSecond', title: 'per s', digits: 0 },
        { value: 'p50', title: 'p50 ms', digits: 2 },
        { value: 'p99', title: 'p99 ms', digits: 2 },
      ],
      ratios: ['logout-1', 'logout-32', 'login'].map((what) => ({
        title: `÷ PostgreSQL, ${what.replace('-', ' × ')}`,
        value: 'perSecond',
        to: `postgres-${what}`,
        only: new RegExp(`-${what}$`),
      })),
      figures: await measureInRounds(bench, entries.toSorted(byWhat)),
    });
  } finally {
    await Promise.all(started.map((curfew) => curfew.stop()));
    await rm(scratch, { recursive: true, force: true });
  }
}

function entriesOf(bench: Bench, store: Store, curfew: Curfew): Entry[] {
  const seconds = bench.options.singleUseSeconds;
  const logouts = CONNECTIONS.map((connections) => {
    const how = connections === 1 ? 'one after the other' : `${connections} at a time`;
    const candidate = {
      ...curfew.candidate('bearer'),
      id: `${store.id}-logout-${connections}`,
      label: `logout, ${how}: ${store.label}`,
      durable: store.durable,
    };
    return logoutEntry(bench, candidate, { connections, seconds });
  });
  const login = {
    id: `${store.id}-login`,
    label: `login: ${store.label}`,
    kind: 'curfew' as const,
    port: curfew.port,
  };
  return [...logouts, { ...loginEntry(bench, login, curfew.loginRequests()), durable: store.durable }];
}

/** Puts the compared figures next to each other. */
function byWhat(one: Entry, other: Entry): number {
  const whatOf = ({ label }: Entry): string => label.slice(0, label.indexOf(':'));
  return whatOf(one).localeCompare(whatOf(other));
}
