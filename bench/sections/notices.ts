import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from '../bench.ts';
import { Curfew } from '../candidates/curfew.ts';
import { type Figure, type Section, withRatios } from '../figure.ts';
import { toWire } from '../load/wire.ts';
import { request, startNode } from '../machine/children.ts';
import { LOAD_CORE } from '../machine/cores.ts';
import { cpuSeconds, residentMegabytes } from '../machine/foreign-load.ts';
import type { Closed, Job, LogoutTimes } from '../notices/devices.ts';
import { type Entry, type Measured, measureInRounds } from '../rounds.ts';

const SOCKETS = [0, 10_000];
/** A user has a hundred sockets at a node at most. */
const USERS = 110;
const MOST_OF_ONE_USER = 100;
const EVERY_MS = 10;

/** (j) What devices that listen cost a node, and how soon they hear. */
export async function measureNotices(bench: Bench): Promise<Section> {
  const { options } = bench;
  return withRatios({
    id: 'notices',
    title: 'Devices that wait for notices',
    method: `A node of its own with ${options.idleSeconds} s of idle WebSockets; then ${options.noticeSamples} logouts at another node, one at a time, each told to its device; then everybody is logged out at once.`,
    columns: [
      { value: 'connectSeconds', title: 's to connect', digits: 1 },
      { value: 'cpuPercent', title: '% of a core', digits: 1 },
      { value: 'rssMegabytes', title: 'RSS MB', digits: 0 },
      { value: 'askedP50', title: 'notice p50 ms', digits: 2 },
      { value: 'askedP99', title: 'p99 ms', digits: 2 },
      { value: 'answeredP50', title: 'after the answer p50 ms', digits: 2 },
      { value: 'answeredP99', title: 'p99 ms', digits: 2 },
      { value: 'everyoneAnswerMs', title: 'everyone: answer ms', digits: 0 },
      { value: 'everyoneToldMs', title: 'last told ms', digits: 0 },
    ],
    ratios: [],
    figures: bench.curfew === undefined ? [] : await measureOwnNodes(bench),
  });
}

async function measureOwnNodes(bench: Bench): Promise<Figure[]> {
  const databaseUrl = await bench.services.makeDatabase('notices');
  const beside = await Curfew.startNode({ databaseUrl, redisUrl: undefined, users: USERS });
  const script = fileURLToPath(new URL('../notices/devices.ts', import.meta.url));
  const devices = await startNode(['--conditions=curfew-source', script], {
    core: LOAD_CORE,
    role: 'load',
    waitForReady: true,
  });
  try {
    const ask = <Result>(job: Job): Promise<Result> => request<Result>(devices, job);
    return await measureInRounds(
      bench,
      SOCKETS.map((sockets) => idleEntry(bench, { databaseUrl, beside, ask }, sockets)),
    );
  } finally {
    await devices.stop();
    await beside.stop();
  }
}

interface Stage {
  databaseUrl: string;
  /** The node that receives the logouts and has the users. */
  beside: Curfew;
  ask: <Result>(job: Job) => Promise<Result>;
}

/** A new node in each round, because memory that an earlier round used is no cost of the sockets. */
function idleEntry(bench: Bench, { databaseUrl, beside, ask }: Stage, sockets: number): Entry {
  const measureOne = async (
    node: Curfew,
    timed: <T>(work: () => Promise<T>) => Promise<T>,
  ): Promise<Measured> => {
    const { options } = bench;
    const count = Math.min(sockets, (USERS - 1) * MOST_OF_ONE_USER);
    const stock = count === 0 ? [] : await beside.candidate('bearer').prepare(count);
    let connectSeconds = 0;
    if (count > 0)
      ({ seconds: connectSeconds } = await ask<{ seconds: number }>({
        kind: 'open',
        port: node.port,
        headers: stock.map(({ check }) => check.headers?.['Authorization'] ?? ''),
      }));
    await sleep(1000);
    const cpuPercent = await timed(() => idleCpuPercent(node.pid, options.idleSeconds));
    const values = { cpuPercent, rssMegabytes: residentMegabytes(node.pid) ?? 0 };
    if (count === 0) return { values, problems: [] };

    const { open } = await ask<{ open: number }>({ kind: 'state' });
    const { missing, ...times } = await ask<LogoutTimes>({
      kind: 'logouts',
      port: beside.port,
      logouts: stock.slice(0, options.noticeSamples).map(({ logout }) => toWire(logout, beside.port)),
      everyMs: EVERY_MS,
    });
    const all = ask<Closed>({ kind: 'closed' });
    const begunMs = performance.timeOrigin + performance.now();
    await beside.endEveryone();
    const answeredMs = performance.timeOrigin + performance.now();
    const { lastMs, told } = await all;
    const expected = count - options.noticeSamples;
    return {
      values: {
        connectSeconds,
        ...values,
        ...times,
        everyoneAnswerMs: answeredMs - begunMs,
        everyoneToldMs: lastMs - begunMs,
      },
      problems: [
        ...(open === count ? [] : [`${open} of ${count} sockets were open`]),
        ...(missing === 0 ? [] : [`${missing} logouts were not told`]),
        ...(told === expected ? [] : [`${told} of ${expected} devices were told that everyone is out`]),
      ],
    };
  };
  return {
    id: `sockets-${sockets}`,
    label: sockets === 0 ? 'Curfew, nobody listens' : `Curfew, ${sockets.toLocaleString('en')} devices`,
    kind: 'curfew',
    measure: async (timed) => {
      const node = await Curfew.startNode({ databaseUrl, redisUrl: undefined, users: 0, beside });
      try {
        return await measureOne(node, timed);
      } finally {
        await ask({ kind: 'close' });
        await node.stop();
      }
    },
  };
}

/** The processor time that a process uses without any request. */
async function idleCpuPercent(pid: number, seconds: number): Promise<number> {
  const start = performance.now();
  const before = cpuSeconds(pid);
  await sleep(seconds * 1000);
  const used = cpuSeconds(pid) - before;
  return (used / ((performance.now() - start) / 1000)) * 100;
}
