import { parseArgs } from 'node:util';

export interface Options {
  seconds: number;
  seed: number;
  leaseMs: number;
  /** Keep the history even if the checker finds no fault. */
  keep: boolean;
}

export const USAGE = `npm run chaos -- [options]

  --seconds N     how long faults are brought about (60)
  --seed N        what comes when, to whom, and for how long (by chance)
  --lease N       CURFEW_LEASE_MS of the nodes (700, more on a busy machine)
  --keep          keep the history, also of a run in which nothing was wrong
`;

/** One and a half busy processes for each processor do not disturb a run. */
const QUIET_SHARES = 1.5;
export const QUIET_LEASE_MS = 700;
const MOST_TIMES = 8;
const LOOK_MS = 300;

/** A lease in which this machine, as busy as it is, can do what it does in 700 ms when it is idle. */
function leaseHere(): number {
  const [began, used] = [performance.now(), process.cpuUsage()];
  const own = (): number => {
    const { user, system } = process.cpuUsage(used);
    return (user + system) / 1000;
  };
  while (own() < LOOK_MS);
  const shares = (performance.now() - began) / own();
  return Math.round(QUIET_LEASE_MS * Math.min(MOST_TIMES, Math.max(1, shares / QUIET_SHARES)));
}

/** @throws TypeError */
export function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      seconds: { type: 'string', default: '60' },
      seed: { type: 'string' },
      lease: { type: 'string' },
      keep: { type: 'boolean', default: false },
    },
  });
  const whole = (name: string, text: string): number => {
    if (!/^\d{1,12}$/.test(text)) throw new TypeError(`--${name} takes a whole number`);
    return Number(text);
  };
  const leaseMs = values.lease === undefined ? leaseHere() : whole('lease', values.lease);
  return {
    seconds: whole('seconds', values.seconds),
    seed: values.seed === undefined ? Math.floor(Math.random() * 1e9) : whole('seed', values.seed),
    leaseMs,
    keep: values.keep,
  };
}
