import type { Degraded, DegradedCode, SystemState } from '@curfew/protocol/wire/system-state';
import type { Config } from '../../config.ts';
import type { System } from '../../system/system.ts';

const SLOW_MS = 100;
const BEHIND_MS = 30_000;
const LATELY_SPANS = 12;
const CLOCK_OFF_MS = 5000;

/** The system's problems, the gravest first. */
export function findDegraded(
  { config, system }: { config: Config; system: System },
  state: Omit<SystemState, 'degraded'>,
): Degraded[] {
  const found: Degraded[] = [];
  const say = (
    code: DegradedCode,
    facts: Degraded['facts'] = {},
    level: Degraded['level'] = 'trouble',
  ): void => {
    found.push({ code, level, facts });
  };
  if (!state.database.answers) say('database_away');
  else if ((state.database.latency_ms ?? 0) > SLOW_MS)
    say('database_slow', { ms: state.database.latency_ms ?? 0 });
  if (!state.node.fresh) say('not_fresh');
  const silent = state.nodes.filter((node) => node.silent);
  if (silent.length > 0) say('node_silent', { count: silent.length });
  if (state.redis === 'away') say('redis_away');
  const stale = state.verifiers.filter((one) => one.age_ms !== null && one.age_ms > config.leaseMs);
  if (stale.length > 0) say('verifier_stale', { count: stale.length });
  for (const { name, failures, oldest_ms, behind } of state.readers) {
    if (failures > 0) say('reader_failing', { name, failures });
    else if ((oldest_ms ?? 0) > BEHIND_MS && (behind ?? 0) > 0)
      say('reader_behind', { name, count: behind ?? 0, seconds: Math.round((oldest_ms ?? 0) / 1000) });
  }
  const waitedOut = state.propagation.spans
    .slice(-LATELY_SPANS)
    .reduce((sum, span) => sum + span.waited_out, 0);
  if (waitedOut > 0) say('waited_out', { count: waitedOut });
  if (state.passwords.waiting > config.hashing.queue / 2)
    say('logins_waiting', { count: state.passwords.waiting });
  const offMs = system.wallMs() - system.now().getTime();
  if (Math.abs(offMs) > CLOCK_OFF_MS) say('clock_off', { seconds: Math.round(Math.abs(offMs) / 1000) });
  if (config.database.kind === 'embedded') {
    if (!config.database.fsync) say('embedded_without_fsync', {}, 'notice');
  } else if (config.encryptionKey === null) say('keys_in_clear', {}, 'notice');
  return found;
}
