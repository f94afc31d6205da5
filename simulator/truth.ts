import type { SessionFacts } from '@curfew/protocol/cuts';
import type { Ending } from '@curfew/protocol/ending';
import type { Propagation } from '@curfew/protocol/node';
import { type Verdict, watch, type Watched } from '@curfew/protocol/replica';
import { LATEST_TIMER_MS, Process } from './process.ts';
import { loginOf } from './facts.ts';
import type { World } from './world.ts';
import type { Plan } from './plan.ts';

/** A session's true state. */
export interface Session {
  readonly facts: SessionFacts;
  readonly watched: Watched;
  readonly kind: 'jwt' | 'opaque';
  /** The login that it was begun through, if any. */
  readonly through: Session | null;
  /** Whether its row says that a session was begun through it. */
  hasChildren: boolean;
  /** Its row is committed. */
  there: boolean;
  /** Whether its row is marked as ended. */
  marked: boolean;
  /** A committed ending covers it. */
  over: boolean;
  /** The history of the database with which its row was lost, if it was. */
  lostIn: number | null;
  /** Since when a caller has the confirmation of its end. */
  confirmedMs: number;
}

export type Scope =
  | 'session'
  | 'list'
  | 'user'
  | 'others'
  | 'device'
  | 'client'
  | 'grant'
  | 'login'
  | 'tenant'
  | 'everyone';

/** A session whose row is not committed yet. */
export const sessionOf = (
  facts: Session['facts'],
  kind: Session['kind'],
  through: Session | null,
): Session => ({
  facts,
  watched: watch(facts),
  kind,
  through,
  hasChildren: false,
  there: false,
  marked: false,
  // It may wait to be begun while the login ends.
  over: through?.over ?? false,
  lostIn: null,
  confirmedMs: through?.confirmedMs ?? Number.POSITIVE_INFINITY,
});

/** An ending as it was decided. It is independent of the protocol's cuts, which it serves to judge. */
export interface Decision {
  readonly scope: Scope;
  readonly by: Session;
  /** For a list: the sessions that it ended. */
  readonly listed: readonly Session[];
  readonly position: number;
  readonly ending: Ending;
  /** How often the database had gone back before. */
  readonly life: number;
  /** Whether the database has gone back to before it. */
  lost: boolean;
  committedMs: number | null;
  /** When it was first confirmed to a caller. */
  confirmedMs: number | null;
  /** Invented sessions, which show whether a replica holds the ending. */
  readonly probes: readonly Watched[];
}

const NOBODY = 'ffffffff-ffff-7fff-bfff-ffffffffffff';

type Covering = Pick<Decision, 'scope' | 'by' | 'listed' | 'position' | 'life'>;

/** Whatever its own position: a session must not outlive the login that it was begun through. */
export function covers(decision: Covering, session: Session): boolean {
  return coversOne(decision, session) || (session.through !== null && coversOne(decision, session.through));
}

function coversOne(decision: Covering, { facts, lostIn }: Session): boolean {
  const { facts: by } = decision.by;
  // The position of a lost session has no meaning: it is below every later decision.
  const below = facts.born < decision.position || (lostIn !== null && lostIn < decision.life);
  switch (decision.scope) {
    case 'session':
      return facts.sid === by.sid;
    case 'list':
      return decision.listed.some((one) => one.facts.sid === facts.sid);
    case 'user':
      return below && facts.subject === by.subject;
    case 'others':
      return below && facts.subject === by.subject && loginOf(facts) !== loginOf(by);
    case 'device':
      return below && facts.subject === by.subject && facts.deviceId === by.deviceId;
    case 'client':
      return below && facts.clientId === by.clientId;
    case 'grant':
      return below && facts.subject === by.subject && facts.clientId === by.clientId;
    case 'login':
      return loginOf(facts) === loginOf(by);
    case 'tenant':
      return below && facts.tenant === by.tenant;
    case 'everyone':
      return below;
  }
}

const probes = new WeakMap<Ending, readonly Watched[]>();

/** Invents sessions that only this ending ends, if there can be such sessions. */
export function probesOf(ending: Ending): readonly Watched[] {
  const known = probes.get(ending) ?? makeProbes(ending);
  probes.set(ending, known);
  return known;
}

function makeProbes(ending: Ending): Watched[] {
  const nobody = {
    sid: NOBODY,
    subject: '-',
    clientId: '',
    deviceId: '',
    born: ending.position - 1,
    login: null,
    tenant: '-',
  };
  const facts = [
    ...ending.ids.map((sid) => ({ ...nobody, sid })),
    ...ending.cuts.map(({ key }) => {
      const [kind, first = '', second = ''] = key.split(':');
      switch (kind) {
        case 'user':
          return { ...nobody, subject: first };
        case 'device':
          return { ...nobody, subject: first, deviceId: second };
        case 'client':
          return { ...nobody, clientId: first };
        case 'grant':
          return { ...nobody, subject: first, clientId: second };
        case 'login':
          return { ...nobody, sid: first };
        case 'tenant':
          return { ...nobody, tenant: first };
        default:
          return nobody;
      }
    }),
  ];
  return facts.map(watch);
}

/** When a node learned of a commit for which it must answer, and in which history of the database. */
export interface Learned {
  readonly atMs: number;
  readonly suspendedMs: number;
  readonly life: number;
  /** Of the node then. */
  readonly epoch: string | null;
}

/** One check, since it began. */
export interface Check {
  readonly at: string;
  readonly session: Session;
  readonly canonical: boolean;
  readonly beganMs: number;
}

/** A process that judges sessions by its own memory. */
interface Witness {
  readonly name: string;
  readonly process: Process;
  /** The replicas for which it may have acknowledged. */
  readonly feeds: number;
  judge(session: Watched): Verdict;
  holds(ending: Ending): boolean;
}

/** A witness that also answers logouts. */
interface Answerer extends Witness {
  readonly node: { readonly epoch: string | null };
}

/** Every process that exists or existed. */
interface Witnesses {
  readonly nodes: readonly Witness[];
  readonly verifiers: readonly Witness[];
}

/** The true state, and the invariants. */
export class Truth {
  readonly sessions: Session[] = [];
  decisions: Decision[] = [];
  #confirmed: Decision[] = [];
  readonly #committedMs = new Map<number, number>();
  readonly #witnesses: Witnesses;
  readonly #world: World;
  readonly #plan: Plan;
  checks = 0;
  confirmations = 0;
  /** How often the database has gone back. */
  life = 0;
  /** The life of access tokens, as the database has it. */
  tokenLifeMs: number;

  constructor(world: World, plan: Plan, witnesses: Witnesses) {
    this.#witnesses = witnesses;
    this.#world = world;
    this.#plan = plan;
    this.tokenLifeMs = plan.tokenLifeMs;
  }

  /** The sessions with a row that were begun through one of these. */
  childrenOf(logins: readonly Session[]): Session[] {
    return this.sessions.filter(
      ({ there, through }) => there && through !== null && logins.includes(through),
    );
  }

  committed(decision: Decision): void {
    decision.committedMs = this.#world.nowMs;
    this.#committedMs.set(decision.position, this.#world.nowMs);
    for (const session of this.sessions) if (covers(decision, session)) session.over = true;
  }

  /** The database went back. Decisions since then are lost, also confirmed ones. Later decisions must hold like all others. */
  wentBack(isLost: (decision: Decision) => boolean, lost: ReadonlySet<Session>): void {
    for (const decision of this.decisions) decision.lost = isLost(decision);
    this.decisions = this.decisions.filter((decision) => !decision.lost);
    this.#confirmed = this.#confirmed.filter((decision) => !decision.lost);
    for (const session of this.sessions) {
      if (lost.has(session)) session.lostIn = this.life;
      const endings = this.decisions.filter((one) => one.committedMs !== null && covers(one, session));
      session.over = endings.length > 0;
      session.confirmedMs = Math.min(
        Number.POSITIVE_INFINITY,
        ...endings.flatMap(({ confirmedMs }) => (confirmedMs === null ? [] : [confirmedMs])),
      );
    }
    this.life++;
  }

  /** A check was accepted. @param memory whether memory answered: then the instant of the answer counts */
  accepted(check: Check, memory: boolean): void {
    this.checks++;
    const { session } = check;
    this.#world.note(check.at, () => `accepts ${nameOf(session)}${memory ? '' : ', having asked'}`);
    if (!check.canonical)
      throw this.#world.broken('canonical', `${check.at} accepts another spelling of ${nameOf(session)}`);
    const sinceMs = memory ? this.#world.nowMs : check.beganMs;
    if (session.confirmedMs <= sinceMs)
      throw this.#world.broken(
        'G1',
        `${check.at} accepts ${nameOf(session)}, whose end was confirmed at ${session.confirmedMs.toFixed(2)}`,
      );
  }

  /**
   * A check was refused with "this session is over".
   * @param current whether the process knows the database's epoch: until then it may hold endings that were lost
   */
  refused(check: Check, current: boolean): void {
    this.checks++;
    this.#world.note(check.at, () => `says that ${nameOf(check.session)} is over`);
    if (!check.session.over && current)
      throw this.#world.broken('wrong end', `${check.at} says that ${nameOf(check.session)} is over`);
  }

  /** A logout was answered. */
  told(by: Answerer, decision: Decision, learned: Learned, propagation: Propagation): void {
    this.#world.note(by.name, () => `confirms ${describe(decision)}: ${JSON.stringify(propagation)}`);
    if (decision.committedMs === null)
      throw this.#world.broken(
        'loud failure',
        `${by.name} confirms what was never committed: ${describe(decision)}`,
      );
    this.#inTime(by, learned);
    if (decision.lost) {
      if (by.node.epoch !== learned.epoch && !by.holds(decision.ending))
        throw this.#world.broken('loud failure', `${by.name} confirms what it knows may be lost`);
      return;
    }
    for (const session of this.sessions)
      if (covers(decision, session)) session.confirmedMs = Math.min(session.confirmedMs, this.#world.nowMs);
    this.#holders(by, decision, propagation);
    if (decision.confirmedMs === null) {
      decision.confirmedMs = this.#world.nowMs;
      this.#confirmed.push(decision);
    }
    this.confirmations++;
    this.sweep(decision);
  }

  /** A logout that found its session ended already was answered. */
  toldNothing(by: Answerer, session: Session, learned: Learned): void {
    this.#world.note(by.name, () => `confirms that ${nameOf(session)} was over already`);
    this.#inTime(by, learned);
    if (by.node.epoch !== learned.epoch)
      throw this.#world.broken('loud failure', `${by.name} confirms what was so in another epoch`);
    if (learned.life < this.life) return;
    if (!session.over && session.lostIn === null)
      throw this.#world.broken(
        'loud failure',
        `${by.name} confirms the end of ${nameOf(session)}, which lives`,
      );
    session.confirmedMs = Math.min(session.confirmedMs, this.#world.nowMs);
    this.confirmations++;
    const first = this.decisions.find((one) => covers(one, session));
    // A lost session is refused because its row is missing; no replica holds its end.
    if (first && !this.isOld(first) && session.lostIn === null)
      for (const process of this.#all()) this.#never(process, session.watched, () => nameOf(session));
  }

  #inTime(by: Answerer, learned: Learned): void {
    const tookMs = this.#world.nowMs - learned.atMs - (by.process.suspendedMs - learned.suspendedMs);
    const boundMs = latestAnswerMs(this.#plan);
    if (tookMs > boundMs)
      throw this.#world.broken(
        'G2',
        `${by.name} answers after ${tookMs.toFixed(1)} ms; ${boundMs.toFixed(1)} are promised`,
      );
  }

  /** A replica that counts as having acknowledged must hold the ending. */
  #holders(by: Answerer, decision: Decision, { acknowledged, waitedOut }: Propagation): void {
    // A replica that began again after its acknowledgement may still be reading. Other terms make a verifier's begin again.
    if (this.isOld(decision) || this.life > 0 || this.#plan.has('lives')) return;
    let holders = 0;
    for (const process of this.#all())
      if (process !== by && process.holds(decision.ending)) holders += process.feeds;
    if (acknowledged > holders)
      throw this.#world.broken(
        'acknowledged',
        `${acknowledged} are said to have acknowledged, ${holders} hold ${describe(decision)}`,
      );
    if (waitedOut < 0) throw this.#world.broken('acknowledged', 'fewer than none were waited out');
  }

  /** Entries that no credential can need may be gone. */
  isOld({ position }: { position: number }): boolean {
    const committedMs = this.#committedMs.get(position) ?? 0;
    return this.#world.nowMs - committedMs > this.#plan.keepMs(this.#plan.tokenLifeMs) * 0.9;
  }

  *#all(): Generator<Witness> {
    yield* this.#witnesses.nodes;
    yield* this.#witnesses.verifiers;
  }

  /** No memory may accept a session whose end was confirmed. This asks all of them, without waiting for a check. */
  sweep(decision: Decision): void {
    this.#sweep([decision]);
  }

  sweepAll(): void {
    this.#sweep(this.#confirmed);
  }

  #sweep(decisions: readonly Decision[]): void {
    const living = [...this.#all()].filter(({ process }) => !process.dead);
    for (const decision of decisions) {
      if (this.isOld(decision)) continue;
      for (const process of living)
        for (const probe of decision.probes) this.#never(process, probe, () => describe(decision));
    }
  }

  #never(process: Witness, watched: Watched, what: () => string): void {
    if (process.process.dead) return;
    if (Process.observe(() => process.judge(watched)) === 'alive')
      throw this.#world.broken('G1', `${process.name} would accept what was confirmed to be over: ${what()}`);
  }
}

/** G2 as a duration in the world's time: the lease, the margin, a millisecond of rounding, the drift, and a late timer. */
export const latestAnswerMs = (plan: Plan): number => (plan.waitMs + 1) * 1.011 + LATEST_TIMER_MS + 0.1;

export const nameOf = ({ facts, kind }: Session): string =>
  `${kind} ${facts.sid.slice(-6)} (user ${facts.subject}, born ${facts.born})`;

export function describe({ scope, by, position }: Pick<Decision, 'scope' | 'by' | 'position'>): string {
  return `the end of ${scope} by ${nameOf(by)} at ${position}`;
}
