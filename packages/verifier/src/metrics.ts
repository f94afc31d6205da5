/** How current a verifier's replica is. */
export interface VerifierFreshness {
  /** `fresh`: checks are answered from memory. `stale`: the authority is asked, or they are refused. */
  readonly state: 'fresh' | 'stale';
  /** The age of the replica in milliseconds; infinite before the first connection. */
  readonly ageMs: number;
  /** The age in milliseconds from which it is stale; null before the first connection. */
  readonly leaseMs: number | null;
  /** The id of the connected node; null while there is none. */
  readonly node: string | null;
  /** The number of ended sessions and of cuts in the replica, and the memory that they take. */
  readonly replica: { readonly ids: number; readonly cuts: number; readonly bytes: number };
}

/** Counters, and values measured when asked for. */
interface Figures {
  fresh: boolean;
  ageMs: number;
  connected: boolean;
  connections: number;
  replica: { ids: number; cuts: number; bytes: number };
  credentials: number;
  keys: number;
  /** Accepted checks, by source. */
  accepted: { memory: number; authority: number };
  /** Refused checks, by reason. */
  refused: ReadonlyMap<string, number>;
  /** Questions to the authority, by outcome. */
  asked: ReadonlyMap<string, number>;
}

/** Writes the metrics in Prometheus' text format 0.0.4. */
export function metricsText(figures: Figures): string {
  const lines: string[] = [];
  const metric = (
    name: string,
    type: 'gauge' | 'counter',
    help: string,
    values: Iterable<readonly [labels: string, value: number]>,
  ): void => {
    lines.push(`# HELP curfew_verifier_${name} ${help}`, `# TYPE curfew_verifier_${name} ${type}`);
    for (const [labels, value] of values)
      lines.push(`curfew_verifier_${name}${labels} ${value === Number.POSITIVE_INFINITY ? '+Inf' : value}`);
  };
  const one = (value: number): [string, number][] => [['', value]];
  const by = (label: string, values: Iterable<readonly [string, number]>): [string, number][] =>
    [...values].map(([name, value]) => [`{${label}="${name}"}`, value]);

  metric('fresh', 'gauge', '1 while checks are answered from memory.', one(Number(figures.fresh)));
  metric('age_seconds', 'gauge', 'Age of the replica.', one(figures.ageMs / 1000));
  metric(
    'connected',
    'gauge',
    '1 while a node of the authority is connected.',
    one(Number(figures.connected)),
  );
  metric('connections_total', 'counter', 'Connections opened.', one(figures.connections));
  metric('replica_ended_ids', 'gauge', 'Ended sessions in the replica.', one(figures.replica.ids));
  metric('replica_cuts', 'gauge', 'Cuts in the replica.', one(figures.replica.cuts));
  metric('replica_bytes', 'gauge', 'Memory used by the ended sessions.', one(figures.replica.bytes));
  metric('credentials', 'gauge', 'Credentials in memory.', one(figures.credentials));
  metric('keys', 'gauge', 'Signing keys known.', one(figures.keys));
  metric(
    'accepted_total',
    'counter',
    'Checks that accepted the credential.',
    by('by', Object.entries(figures.accepted)),
  );
  metric('refused_total', 'counter', 'Checks that refused the credential.', by('reason', figures.refused));
  metric('asked_total', 'counter', 'Requests to the authority.', by('says', figures.asked));
  return `${lines.join('\n')}\n`;
}
