import type { Section } from '../figure.ts';

export interface Aim {
  text: string;
  /** Undefined when a figure that it needs was not measured, or is void. */
  reached?: number;
  wanted: number;
  atMost: boolean;
}

/** What this server set out to reach, each from the figures of this run alone. */
export function judgeAims(sections: Section[]): Aim[] {
  const value = (section: string, id: string, name: string): number | undefined =>
    sections.find((one) => one.id === section)?.figures.find((figure) => figure.id === id)?.values[name];
  const ratio = (mine: number | undefined, other: number | undefined): { reached?: number } =>
    mine === undefined || other === undefined || other === 0 ? {} : { reached: mine / other };

  const checks = sections.find(({ id }) => id === 'check')?.figures ?? [];
  const best = (kind: string): number | undefined => {
    const rates = checks
      .filter((figure) => figure.kind === kind)
      .map((figure) => figure.values['perSecond'] ?? 0);
    return rates.length === 0 ? undefined : Math.max(...rates);
  };
  return [
    {
      text: 'check with a JWT ÷ bare node:http',
      ...ratio(value('check', 'curfew-jwt', 'perSecond'), value('check', 'floor-http', 'perSecond')),
      wanted: 0.8,
      atMost: false,
    },
    {
      text: 'check with a JWT ÷ the fastest peer',
      ...ratio(value('check', 'curfew-jwt', 'perSecond'), best('peer')),
      wanted: 3,
      atMost: false,
    },
    {
      text: 'durable logout of one (JWT) ÷ one UPDATE over HTTP',
      ...ratio(value('logout', 'curfew-jwt', 'perSecond'), value('logout', 'floor-update', 'perSecond')),
      wanted: 0.6,
      atMost: false,
    },
    {
      text: 'effect of a logout of all with 1,000 sessions ÷ logout of one (p50)',
      ...ratio(
        value('logout-all', 'curfew-all-1000', 'effectP50'),
        value('logout-all', 'curfew-this-1', 'effectP50'),
      ),
      wanted: 2,
      atMost: true,
    },
    {
      text: "hot check in the verifier's process (1,000 JWTs) ÷ the fastest peer over the network",
      ...ratio(value('local', 'now-jwt-1000', 'perSecond'), best('peer')),
      wanted: 50,
      atMost: false,
    },
    {
      text: "hot checks in the verifier's process, one JWT, millions a second",
      ...ratio(value('local', 'now-jwt-1', 'perSecond'), 1e6),
      wanted: 1,
      atMost: false,
    },
    {
      text: 'replica: bytes per ended id, in its tables',
      ...ratio(value('local', 'replica', 'bytesEach'), 1),
      wanted: 24,
      atMost: true,
    },
    {
      text: 'replica: bytes per ended id, growth of the whole process',
      ...ratio(value('local', 'replica', 'residentBytesEach'), 1),
      wanted: 24,
      atMost: true,
    },
    {
      text: 'replica misses (every live session is one), millions a second',
      ...ratio(value('local', 'replica', 'missesPerSecond'), 1e6),
      wanted: 8,
      atMost: false,
    },
    {
      text: 'replica hits, millions a second',
      ...ratio(value('local', 'replica', 'perSecond'), 1e6),
      wanted: 8,
      atMost: false,
    },
    ...propagationAims(value),
    {
      text: 'confirmed logouts with 8 verifiers listening ÷ one UPDATE over HTTP',
      ...ratio(
        value('listening', 'curfew-jwt-8', 'perSecond'),
        value('listening', 'floor-update', 'perSecond'),
      ),
      wanted: 1.3,
      atMost: false,
    },
  ];
}

/** One node and Redis: what a first installation has. */
function propagationAims(value: (section: string, id: string, name: string) => number | undefined): Aim[] {
  const aim = (verifiers: number, name: string, text: string, wanted: number, pace = ''): Aim => {
    const reached = value('propagation', `redis-1-${verifiers}${pace}`, name);
    return {
      text: `confirmed logout with ${verifiers} verifiers, ${text} in ms`,
      ...(reached === undefined ? {} : { reached }),
      wanted,
      atMost: true,
    };
  };
  return [
    aim(8, 'confirmedP50', 'one every 10 ms, p50', 2),
    aim(8, 'confirmedP99', 'one every 10 ms, p99', 10),
    aim(8, 'confirmedP50', 'one after the other, p50', 2, '-closely'),
    aim(8, 'confirmedP99', 'one after the other, p99', 10, '-closely'),
    aim(100, 'confirmedP50', 'one every 10 ms, p50', 10),
    aim(100, 'confirmedP99', 'one every 10 ms, p99', 50),
  ];
}

export function isReached(aim: Aim): boolean | undefined {
  if (aim.reached === undefined) return undefined;
  return aim.atMost ? aim.reached <= aim.wanted : aim.reached >= aim.wanted;
}
