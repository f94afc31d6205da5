import { FAULTS, type Fault } from './plan.ts';
import { type Outcome, Simulation } from './simulation.ts';

/** The result of many seeds. */
export interface Tally {
  from: number;
  seeds: number;
  steps: number;
  simulatedMs: number;
  checks: number;
  confirmations: number;
  wallMs: number;
  /** Processor time. */
  cpuMs: number;
  broken: { seed: number; invariant: string; message: string }[];
}

export const nothingYet = (from: number): Tally => ({
  from,
  seeds: 0,
  steps: 0,
  simulatedMs: 0,
  checks: 0,
  confirmations: 0,
  wallMs: 0,
  cpuMs: 0,
  broken: [],
});

/** Runs seeds one after the other, and adds up. @param stop ends it at the first that fails */
export function runSeeds(from: number, count: number, stop: boolean, tally: Tally = nothingYet(from)): Tally {
  const began = performance.now();
  const beganMs = tally.wallMs;
  const spent = process.cpuUsage();
  const spentMs = tally.cpuMs;
  for (let seed = from; seed < from + count; seed++) {
    const outcome = new Simulation(seed).run();
    tally.seeds++;
    tally.steps += outcome.steps;
    tally.simulatedMs += outcome.simulatedMs;
    tally.checks += outcome.checks;
    tally.confirmations += outcome.confirmations;
    tally.wallMs = beganMs + performance.now() - began;
    if (!outcome.broken) continue;
    const { invariant, message } = outcome.broken;
    tally.broken.push({ seed, invariant, message });
    if (stop) break;
  }
  const { user, system } = process.cpuUsage(spent);
  tally.cpuMs = spentMs + (user + system) / 1000;
  return tally;
}

/** The tally in one line for a reader. */
export function inWords({
  seeds,
  steps,
  simulatedMs,
  checks,
  confirmations,
  wallMs,
  cpuMs,
  broken,
}: Tally): string {
  const seconds = cpuMs / 1000;
  const each = (count: number): string => Math.round(count / seconds).toLocaleString('en');
  return [
    `${seeds.toLocaleString('en')} seeds in ${(wallMs / 1000).toFixed(1)} s, ${seconds.toFixed(1)} s on one core (${(cpuMs / seeds).toFixed(2)} ms a seed)`,
    `${each(steps)} steps and ${each(simulatedMs / 1000)} simulated seconds per second of it`,
    `${checks.toLocaleString('en')} checks, ${confirmations.toLocaleString('en')} confirmed logouts`,
    `${broken.length} seeds failed`,
  ].join('; ');
}

export const replay = (seed: number, without: readonly Fault[], history: boolean): Outcome =>
  new Simulation(seed, { without, history }).run();

/** The kinds of faults without which a failing seed still fails, found by switching them off one at a time. */
export function needless(failing: Outcome, already: readonly Fault[]): Fault[] {
  const off = [...already];
  for (const fault of FAULTS) {
    if (!failing.faults.includes(fault)) continue;
    const less = replay(failing.seed, [...off, fault], false);
    if (less.broken && less.broken.invariant === failing.broken?.invariant) off.push(fault);
  }
  return off;
}
