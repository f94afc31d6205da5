import type { Figure, Section } from '../figure.ts';

export interface Aim {
  text: string;
  /** Undefined when a figure that it needs was not measured, or is void. */
  reached?: number;
  wanted: number;
  atMost: boolean;
}

/** One value of a figure of this run. */
type Value = readonly [section: string, figure: string, name: string];

interface Target {
  text: string;
  value: Value;
  /** What the value is divided by. */
  by: Value | number | 'the fastest peer';
  wanted: number;
  atMost?: true;
}

/** One node and Redis, as a first installation has them. */
const propagation = (verifiers: number, name: string, text: string, wanted: number, pace = ''): Target => ({
  text: `confirmed logout with ${verifiers} verifiers, ${text} in ms`,
  value: ['propagation', `redis-1-${verifiers}${pace}`, name],
  by: 1,
  wanted,
  atMost: true,
});

/** The memory of ended sessions: bytes at most, or millions a second at least. */
const replica = (name: string, text: string, wanted: number, isBytes = false): Target => ({
  text,
  value: ['local', 'replica', name],
  by: isBytes ? 1 : 1e6,
  wanted,
  ...(isBytes ? { atMost: true } : {}),
});

const listening = (verifiers: number, wanted: number): Target => ({
  text: `confirmed logouts with ${verifiers} verifiers listening ÷ one UPDATE over HTTP`,
  value: ['listening', `curfew-jwt-${verifiers}`, 'perSecond'],
  by: ['listening', 'floor-update', 'perSecond'],
  wanted,
});

const TARGETS: readonly Target[] = [
  {
    text: 'check with a JWT ÷ bare node:http',
    value: ['check', 'curfew-jwt', 'perSecond'],
    by: ['check', 'floor-http', 'perSecond'],
    wanted: 0.9,
  },
  {
    text: 'check with a JWT ÷ the fastest peer',
    value: ['check', 'curfew-jwt', 'perSecond'],
    by: 'the fastest peer',
    wanted: 3,
  },
  {
    text: 'durable logout of one (JWT) ÷ one UPDATE over HTTP',
    value: ['logout', 'curfew-jwt', 'perSecond'],
    by: ['logout', 'floor-update', 'perSecond'],
    wanted: 0.6,
  },
  {
    text: 'effect of a logout of all with 1,000 sessions ÷ logout of one (p50)',
    value: ['logout-all', 'curfew-all-1000', 'effectP50'],
    by: ['logout-all', 'curfew-this-1', 'effectP50'],
    wanted: 2,
    atMost: true,
  },
  {
    text: "hot check in the verifier's process (1,000 JWTs) ÷ the fastest peer over the network",
    value: ['local', 'now-jwt-1000', 'perSecond'],
    by: 'the fastest peer',
    wanted: 50,
  },
  {
    text: "hot checks in the verifier's process, one JWT, millions a second",
    value: ['local', 'now-jwt-1', 'perSecond'],
    by: 1e6,
    wanted: 1,
  },
  replica('bytesEach', 'replica: bytes per ended id, in its tables', 24, true),
  replica('residentBytesEach', 'replica: bytes per ended id, growth of the whole process', 26, true),
  replica('missesPerSecond', 'replica misses (every live session is one), millions a second', 8),
  replica('perSecond', 'replica hits, millions a second', 6),
  propagation(8, 'confirmedP50', 'one every 10 ms, p50', 2),
  propagation(8, 'confirmedP99', 'one every 10 ms, p99', 10),
  propagation(8, 'confirmedP50', 'one after the other, p50', 2, '-closely'),
  propagation(8, 'confirmedP99', 'one after the other, p99', 10, '-closely'),
  propagation(100, 'confirmedP50', 'one every 10 ms, p50', 10),
  propagation(100, 'confirmedP99', 'one every 10 ms, p99', 50),
  listening(8, 1),
  listening(100, 0.6),
];

/** The aims of this server. Each is judged by the figures of this run alone. */
export function judgeAims(sections: Section[]): Aim[] {
  const figuresOf = (id: string): Figure[] => sections.find((one) => one.id === id)?.figures ?? [];
  const valueOf = ([section, id, name]: Value): number | undefined =>
    figuresOf(section).find((figure) => figure.id === id)?.values[name];
  const peers = figuresOf('check').filter(({ kind }) => kind === 'peer');
  const fastest = Math.max(0, ...peers.map(({ values }) => values['perSecond'] ?? 0));
  return TARGETS.map(({ text, value, by, wanted, atMost = false }) => {
    const mine = valueOf(value);
    const other = by === 'the fastest peer' ? fastest : typeof by === 'number' ? by : valueOf(by);
    return { text, ...(mine === undefined || !other ? {} : { reached: mine / other }), wanted, atMost };
  });
}

export function isReached(aim: Aim): boolean | undefined {
  if (aim.reached === undefined) return undefined;
  return aim.atMost ? aim.reached <= aim.wanted : aim.reached >= aim.wanted;
}
