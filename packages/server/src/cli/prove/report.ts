import { table } from '../terminal.ts';
import type { Coverage } from './coverage.ts';
import type { Pressed } from './press.ts';

/** A logout, and the results of every surface. */
export interface Proof {
  /** The contract or the scope that it went by. */
  way: string;
  /** Milliseconds from sending the logout to its answer. */
  ms: number;
  confirmed: boolean;
  acknowledged: number;
  waitedOut: number;
  surfaces: Pressed[];
}

export interface ProofReport extends Coverage {
  logouts: number;
  /** By which contracts and scopes. */
  ways: string[];
  unconfirmed: number;
  late: number;
  checks: number;
  /** Checks after the answer that a surface refused because it could not tell. */
  unsure: number;
  /** Milliseconds from a logout's start to its answer. */
  answer: Percentiles;
  acknowledged: number;
  waited_out: number;
  surfaces: {
    surface: string;
    checks: number;
    late: number;
    unsure: number;
    last_accept: Percentiles | null;
  }[];
}

interface Percentiles {
  p50: number;
  p99: number;
}

export function reportOf(proofs: readonly Proof[], coverage: Coverage): ProofReport {
  const names = proofs[0]?.surfaces.map(({ surface }) => surface) ?? [];
  const surfaces = names.map((surface) => {
    const here = proofs.flatMap((proof) => proof.surfaces.filter((one) => one.surface === surface));
    const last = here.flatMap(({ lastAcceptMs }) => (lastAcceptMs === null ? [] : [lastAcceptMs]));
    return {
      surface,
      checks: sum(here.map(({ checks }) => checks)),
      late: sum(here.map(({ late }) => late)),
      unsure: sum(here.map(({ unsure }) => unsure)),
      last_accept: last.length > 0 ? percentiles(last) : null,
    };
  });
  return {
    ...coverage,
    logouts: proofs.length,
    ways: [...new Set(proofs.map(({ way }) => way))],
    unconfirmed: proofs.filter(({ confirmed }) => !confirmed).length,
    late: sum(surfaces.map(({ late }) => late)),
    checks: sum(surfaces.map(({ checks }) => checks)),
    unsure: sum(surfaces.map(({ unsure }) => unsure)),
    answer: percentiles(proofs.map(({ ms }) => ms)),
    acknowledged: Math.max(0, ...proofs.map(({ acknowledged }) => acknowledged)),
    waited_out: sum(proofs.map(({ waitedOut }) => waitedOut)),
    surfaces,
  };
}

export const isProven = (report: ProofReport): boolean =>
  report.late === 0 &&
  report.unconfirmed === 0 &&
  muteSurfaces(report).length === 0 &&
  report.not_seen.length === 0;

/** Surfaces that never could tell: they would have refused a live session too. */
const muteSurfaces = (report: ProofReport): string[] =>
  report.surfaces.filter(({ checks, unsure }) => checks === unsure).map(({ surface }) => surface);

export function renderReport(report: ProofReport): string {
  const ms = (value: number | undefined): string => (value === undefined ? '-' : value.toFixed(2));
  const rows = report.surfaces.map(({ surface, checks, late, unsure, last_accept: last }) => [
    surface,
    String(checks),
    String(late),
    String(unsure),
    ms(last?.p50),
    ms(last?.p99),
  ]);
  const mute = muteSurfaces(report);
  let verdict = `True everywhere: ${report.logouts} logouts, ${report.checks} checks after their answers, no check accepted.`;
  if (report.late > 0 || report.unconfirmed > 0)
    verdict = `NOT true everywhere: ${report.late} of ${report.checks} checks after the answer were accepted, ${report.unconfirmed} of ${report.logouts} logouts were not confirmed.`;
  else if (mute.length > 0)
    verdict = `NOT proven: ${mute.join(', ')} never said after an answer whether the session was alive.`;
  else if (report.not_seen.length > 0)
    verdict = `NOT proven everywhere: not checked: ${report.not_seen.join(', ')}. Name nodes with --node, and addresses that verifiers protect with --back-end. At the other places ${report.logouts} logouts were true: ${report.checks} checks after their answers, no check accepted.`;
  return [
    table(['SURFACE', 'CHECKS AFTER', 'LATE ACCEPTS', 'NO ANSWER', 'LAST ACCEPT p50 ms', 'p99 ms'], rows),
    '',
    `Nodes in the registry: ${report.nodes.map(({ id, looked_at: at }) => `${id} (${at.join(', ') || 'not checked'})`).join(', ')}. Verifiers connected to them: ${report.verifiers.length}; back ends checked: ${report.back_ends}.`,
    `Ended by: ${report.ways.join(', ')}.`,
    `Time until a logout answered: p50 ${ms(report.answer.p50)} ms, p99 ${ms(report.answer.p99)} ms. Other replicas: ${report.acknowledged} acknowledged, ${report.waited_out} waited out.`,
    'Last accept: time from the answer to the end of the last accepted check. A negative number is before the answer.',
    verdict,
  ].join('\n');
}

function percentiles(values: readonly number[]): Percentiles {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
