/** The cost of one of each thing, as the benchmark measured it. The simulation and docs/scale.md use no other figures. */
export interface UnitCosts {
  /** A node's processor time for a logout without listeners: request, statement, commit, answer. */
  logoutMicros: number;
  /** A node's processor time to send one ending in a message of its own to one verifier, and to take in the acknowledgement. */
  endingMicros: number;
  /** The same for each of many endings that come together and share messages. */
  sharedEndingMicros: number;
  /** A node's processor time for one renewal of one verifier's lease. */
  renewalMicros: number;
  /** A verifier's processor time to take in one ending in a message of its own, and to acknowledge it. */
  verifierMicros: number;
  /** From a logout's request to its answer without waiting for anybody: mostly the commit. */
  commitMs: number;
  /** One way between two processes of one machine, including the operating system's part. */
  hopMs: number;
  /** The time that other nodes add: the ring, their reading of the log, their acknowledgement. */
  ringMs: number;
  /** Bytes for an ended id in a replica: in its tables, and by how much the whole process grows. */
  endedIdBytes: number;
  endedIdResidentBytes: number;
  /** Checks a second: over HTTP at a node's one core, and in a verifier's process. */
  checksPerSecond: number;
  localChecksPerSecond: number;
  /** Logouts, logins with a password and refreshes a second, the node on one core. */
  logoutsPerSecond: number;
  loginsPerSecond: number;
  refreshesPerSecond: number;
}

/** The part of the benchmark's results that is needed here. */
export interface MeasuredResults {
  sections: { id: string; figures: { id: string; values: Record<string, number> }[] }[];
}

/** A smaller difference of two measurements is noise. No cost is zero. */
const LEAST_MICROS = 1;
const LEAST_MS = 0.02;

/** The unit costs of a run, or undefined if the run did not measure a figure that they need. */
export function unitCosts(results: MeasuredResults): UnitCosts | undefined {
  let complete = true;
  const value = (section: string, figure: string, name: string): number => {
    const found = results.sections.find(({ id }) => id === section)?.figures.find(({ id }) => id === figure)
      ?.values[name];
    if (found === undefined) complete = false;
    return found ?? 0;
  };
  const logoutMicros = value('listening', 'curfew-jwt-0', 'nodeMicros');
  const sharedEndingMicros = Math.max(
    LEAST_MICROS,
    (value('listening', 'curfew-jwt-100', 'nodeMicros') - logoutMicros) / 100,
  );
  // Percent of a core, over a thousand verifiers that renew four times a second each.
  const idle = value('idle-feeds', 'idle-1000', 'cpuPercent') - value('idle-feeds', 'idle-0', 'cpuPercent');
  const renewalMicros = Math.max(LEAST_MICROS, (idle * 10_000) / 4000);
  // One logout at a time: what each of 92 more verifiers adds, less the renewals that fell into the time.
  const added = (name: string): number => {
    const few = 'redis-1-8';
    const many = 'redis-1-100';
    const between = (of: string): number => value('propagation', many, of) - value('propagation', few, of);
    const renewals = (value('propagation', many, 'tookMs') * 4) / 1000;
    return Math.max(LEAST_MICROS, between(name) / 92 - renewals * renewalMicros);
  };
  const endingMicros = added('nodeMicros');
  const verifierMicros = added('crowdMicros');
  const alone = value('propagation', 'redis-1-1', 'propagationP50');
  const costs: UnitCosts = {
    logoutMicros,
    endingMicros,
    sharedEndingMicros,
    renewalMicros,
    verifierMicros,
    commitMs: value('propagation', 'redis-1-1', 'committedP50'),
    hopMs: Math.max(LEAST_MS, (alone - (endingMicros + verifierMicros) / 1000) / 2),
    ringMs: Math.max(LEAST_MS, value('propagation', 'redis-3-1', 'propagationP50') - alone),
    endedIdBytes: value('local', 'replica', 'bytesEach'),
    endedIdResidentBytes: value('local', 'replica', 'residentBytesEach'),
    checksPerSecond: value('check', 'curfew-jwt', 'perSecond'),
    localChecksPerSecond: value('local', 'now-jwt-1000', 'perSecond'),
    logoutsPerSecond: value('logout', 'curfew-jwt', 'perSecond'),
    loginsPerSecond: value('login', 'curfew-login', 'perSecond'),
    refreshesPerSecond: value('refresh', 'curfew-refresh', 'perSecond'),
  };
  return complete ? costs : undefined;
}
