import { parseArgs } from 'node:util';

export interface Options {
  seconds: number;
  seed: number;
  leaseMs: number;
  /** A fault on purpose in the back ends: a yes is believed for so many milliseconds. */
  believesMs: number;
  /** Keep the history even when nothing is wrong with it. */
  keep: boolean;
}

export const USAGE = `npm run chaos -- [options]

  --seconds N     how long faults are brought about (60)
  --seed N        what comes when, to whom, and for how long (by chance)
  --lease N       CURFEW_LEASE_MS of the nodes (700)
  --believes N    a fault on purpose: back ends believe a yes for N ms; the checker has to find it
  --keep          keep the history, also of a run in which nothing was wrong
`;

/** @throws TypeError */
export function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      seconds: { type: 'string', default: '60' },
      seed: { type: 'string' },
      lease: { type: 'string', default: '700' },
      believes: { type: 'string', default: '0' },
      keep: { type: 'boolean', default: false },
    },
  });
  const whole = (name: string, text: string): number => {
    if (!/^\d{1,12}$/.test(text)) throw new TypeError(`--${name} takes a whole number`);
    return Number(text);
  };
  return {
    seconds: whole('seconds', values.seconds),
    seed: values.seed === undefined ? Math.floor(Math.random() * 1e9) : whole('seed', values.seed),
    leaseMs: whole('lease', values.lease),
    believesMs: whole('believes', values.believes),
    keep: values.keep,
  };
}
