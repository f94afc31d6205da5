import type { BelieverLine, CheckLine, Line, LogoutLine } from '../lines.ts';
import { type Fate, fates, isIn, lossDuring } from './coverage.ts';
import type { History } from './history.ts';
import { type Speed, speedOf } from './speed.ts';

interface Violation {
  rule: string;
  what: string;
  /** The lines of the history that prove it. */
  proof: Line[];
}

export interface Judgement {
  violations: Violation[];
  fates: Map<number, Fate>;
  speed: Speed;
  /**
   * The number of accepted checks that began before the answer of the logout and ended after it, and the longest time from the answer to
   * their end. None of them is late, because they began before. They are also seen when a process records its answer late.
   */
  straddling: { count: number; fromMemory: number; longestMs: number };
  /** Checks of a session that began within 50 ms after the answer of the logout that ended it. */
  soonAfter: number;
  /** Late accepts of the believer, which has a fault on purpose. */
  believed: number;
  /** What the last look found. */
  last: { alive: number; over: number };
}

const YES = new Set(['memory', 'authority', 'yes']);
/** A process with fresh memory refuses the session as over. */
const OVER = new Set(['ended', 'unknown', 'no']);
/** The process could not judge the session. */
const UNSURE = new Set(['stale', 'unavailable']);
const SOON_US = 50_000;

export function judge(history: History, leaseMs: number): Judgement {
  // A lease, and the margin for clocks that drift apart.
  const waitUs = (leaseMs + Math.max(20, leaseMs * 0.05)) * 1000;
  const judgement: Judgement = {
    violations: [],
    fates: fates(history, waitUs),
    speed: speedOf(history, waitUs / 1000),
    straddling: { count: 0, fromMemory: 0, longestMs: 0 },
    soonAfter: 0,
    believed: 0,
    last: { alive: 0, over: 0 },
  };
  judgeChecks(history, judgement, waitUs);
  for (const check of history.believer) {
    const fate = judgement.fates.get(check.s);
    if (fate && isLate(check, fate)) judgement.believed++;
  }
  judgeReturns(history, judgement, waitUs);
  judgeRefreshes(history, judgement);
  judgeLastLook(history, judgement);
  for (const slow of judgement.speed.tooSlow)
    judgement.violations.push({
      rule: 'G2',
      what: 'a logout took longer than the lease and five seconds for its commit, with nothing in its way',
      proof: slow,
    });
  return judgement;
}

/** An accept that began after the logout was true everywhere. */
const isLate = ({ b, o }: CheckLine | BelieverLine, fate: Fate): boolean => YES.has(o) && b > fate.goneAt;

/** Each check by itself: nothing accepts an ended session, nothing refuses a live one. */
function judgeChecks(history: History, judgement: Judgement, waitUs: number): void {
  const { violations, straddling } = judgement;
  const healedAt = history.marks.get('last look begins') ?? Number.POSITIVE_INFINITY;
  for (const check of history.checks) {
    const fate = judgement.fates.get(check.s);
    const rule = (name: string, what: string, more: (Line | null | undefined)[] = []): void => {
      violations.push({ rule: name, what, proof: proofOf(fate, check, more) });
    };
    if (!fate) {
      // The line of a login is written before any process knows the session.
      rule('history', 'a check of a session that nobody opened');
      continue;
    }
    const { goneAt, goneBy, possibleFrom, doubted } = fate;
    const { b, e, o } = check;
    if (b > goneAt && b - goneAt < SOON_US) judgement.soonAfter++;
    if (YES.has(o)) {
      if (isLate(check, fate)) {
        const ms = ((b - goneAt) / 1000).toFixed(1);
        const how = goneBy?.confirmed ? 'its logout was confirmed' : `its logout, and ${waitUs / 1000} ms`;
        rule('G1', `accepted in a check that began ${ms} ms after ${how}`, coverProof(fate, goneBy?.id));
      } else if (goneBy?.confirmed && e > goneAt) {
        straddling.count++;
        if (o === 'memory') straddling.fromMemory++;
        straddling.longestMs = Math.max(straddling.longestMs, (e - goneAt) / 1000);
      }
    } else if (OVER.has(o)) {
      if (e < possibleFrom && !(doubted && e < healedAt))
        rule('wrong end', `refused as "${o}" though no logout that could reach it had been sent`);
    } else if (o === 'wrong') rule('wrong session', 'accepted as another session');
    else if (!UNSURE.has(o)) rule('credential', `refused as "${o}": its credential is as it was issued`);
  }
}

/** A session that one process has seen over stays over: at the same process at once, and everywhere within the lease. */
function judgeReturns(history: History, judgement: Judgement, waitUs: number): void {
  const everywhere = new Map<number, CheckLine>();
  const here = new Map<string, CheckLine>();
  const keep = <K>(map: Map<K, CheckLine>, key: K, check: CheckLine): void => {
    const known = map.get(key);
    if (!known || check.e < known.e) map.set(key, check);
  };
  for (const check of history.checks) {
    if (!OVER.has(check.o)) continue;
    keep(everywhere, check.s, check);
    if (check.o === 'ended') keep(here, `${check.w} ${check.s}`, check);
  }
  for (const check of history.checks) {
    if (!YES.has(check.o)) continue;
    const fate = judgement.fates.get(check.s);
    if (fate?.mayReturn) continue;
    const seen = everywhere.get(check.s);
    const seenHere = here.get(`${check.w} ${check.s}`);
    if (seen && check.b > seen.e + waitUs)
      judgement.violations.push({
        rule: 'came back',
        what: 'accepted more than a lease after somebody had found it over',
        proof: proofOf(fate, check, [seen]),
      });
    else if (seenHere && check.b > seenHere.e)
      judgement.violations.push({
        rule: 'came back',
        what: 'accepted by a verifier that had said that it is over for certain',
        proof: proofOf(fate, check, [seenHere]),
      });
  }
}

/** A refresh revives no ended session, and is not refused for a live one. */
function judgeRefreshes(history: History, judgement: Judgement): void {
  /** Sessions whose newest refresh token the database may have lost, and since when. */
  const lost = new Map<number, number>();
  for (const { s, sent, got } of history.refreshes) {
    const loss = lossDuring(history, sent, got);
    if (loss) lost.set(s, Math.min(loss.from, lost.get(s) ?? loss.from));
  }
  for (const refresh of history.refreshes) {
    const fate = judgement.fates.get(refresh.s);
    if (!fate) continue;
    if (refresh.status === 200 && refresh.sent > fate.committedAt)
      judgement.violations.push({
        rule: 'refresh',
        what: 'refreshed after its logout was answered',
        proof: proofOf(fate, refresh, coverProof(fate, fate.goneBy?.id)),
      });
    const since = Math.min(fate.possibleFrom, lost.get(refresh.s) ?? Number.POSITIVE_INFINITY);
    if (refresh.status === 401 && refresh.got < since && !fate.doubted)
      judgement.violations.push({
        rule: 'wrong end',
        what: 'a refresh was refused though no logout that could reach it had been sent',
        proof: proofOf(fate, refresh, []),
      });
  }
}

/** When all faults have ended and the load rests, all replicas agree, and each logout has happened completely or not at all. */
function judgeLastLook(history: History, judgement: Judgement): void {
  const from = history.marks.get('last look begins');
  if (from === undefined) return;
  const found = new Map<number, CheckLine>();
  // A process without an answer is asked again for a while. In the end each must have answered.
  const sure = new Set<string>();
  const unsure = new Map<string, CheckLine>();
  for (const check of history.checks) {
    if (check.b < from) continue;
    const fate = judgement.fates.get(check.s);
    const key = `${check.w} ${check.s}`;
    if (UNSURE.has(check.o)) {
      if (!sure.has(key)) unsure.set(key, check);
      continue;
    }
    sure.add(key);
    unsure.delete(key);
    const known = found.get(check.s);
    if (known && YES.has(known.o) !== YES.has(check.o))
      judgement.violations.push({
        rule: 'agreement',
        what: 'two say different things of a session, long after everything',
        proof: proofOf(fate, check, [known]),
      });
    found.set(check.s, check);
  }
  for (const check of unsure.values())
    judgement.violations.push({
      rule: 'healing',
      what: 'somebody could not say of a session how it stands, long after all was healed',
      proof: [check],
    });
  for (const [s, { login }] of judgement.fates) {
    const check = found.get(s);
    if (!check)
      judgement.violations.push({ rule: 'history', what: 'a session was not looked at', proof: [login] });
    else if (YES.has(check.o)) judgement.last.alive++;
    else judgement.last.over++;
  }
  for (const logout of history.logouts) judgeWhole(history, judgement, logout, found);
}

/** A logout that failed, or was not answered, may have happened: for all sessions that it named, or for none. */
function judgeWhole(
  history: History,
  judgement: Judgement,
  logout: LogoutLine,
  found: Map<number, CheckLine>,
): void {
  const answer = history.answers.get(logout.id);
  if (answer && answer.status !== 0 && answer.status < 500) return;
  const alive: CheckLine[] = [];
  const over: CheckLine[] = [];
  for (const { login, possible, mayReturn } of judgement.fates.values()) {
    // Only sessions that nothing else can have ended, and that existed when it was sent.
    if (possible.length !== 1 || possible[0] !== logout || login.got > logout.sent) continue;
    if (mayReturn) continue;
    if (!isIn(logout.cover, login)) continue;
    const check = found.get(login.s);
    if (check) (YES.has(check.o) ? alive : over).push(check);
  }
  const [one, other] = [alive[0], over[0]];
  if (one && other)
    judgement.violations.push({
      rule: 'half',
      what: `a logout that was not answered with success ended ${over.length} of ${alive.length + over.length}`,
      proof: [logout, ...(answer ? [answer] : []), one, other],
    });
}

function proofOf(fate: Fate | undefined, line: Line, more: readonly (Line | null | undefined)[]): Line[] {
  return [fate?.login, ...more, line].filter((one) => one !== null && one !== undefined);
}

/** The logout that ended a session, and its answer. */
function coverProof(fate: Fate, id: number | undefined): (Line | null | undefined)[] {
  return [fate.possible.find((logout) => logout.id === id), fate.goneBy];
}
