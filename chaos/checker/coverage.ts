import type { AnswerLine, Cover, LoginLine, LogoutLine, LossLine } from '../lines.ts';
import type { History } from './history.ts';

/** What the clients' accounts say about how a session can have ended. */
export interface Fate {
  login: LoginLine;
  /** Logouts that may have ended it. */
  possible: LogoutLine[];
  /** The earliest of them was sent at this instant: before it the session lives for certain. */
  possibleFrom: number;
  /** No check that begins after this instant may accept it. */
  goneAt: number;
  /** The answer that says so. */
  goneBy: AnswerLine | null;
  /** From here on the database refuses it: a logout that covers it was answered. */
  committedAt: number;
  /** The database may have lost its login, or a logout of it: it may be seen to be over, and alive again. */
  mayReturn: boolean;
  /** Opened just after the database went back, it may be refused by a cut that was lost, until all is healed. */
  doubted: boolean;
}

/** Of every session what may have ended it, and what has. */
export function fates(history: History, waitUs: number): Map<number, Fate> {
  const byUser = new Map<number, Fate[]>();
  const losses = history.losses.map((loss) => ({ ...loss, noticed: noticedAt(history, loss) }));
  const all = new Map<number, Fate>();
  for (const login of history.logins) {
    const fate: Fate = {
      login,
      possible: [],
      possibleFrom: Number.POSITIVE_INFINITY,
      goneAt: Number.POSITIVE_INFINITY,
      goneBy: null,
      committedAt: Number.POSITIVE_INFINITY,
      mayReturn: false,
      doubted: false,
    };
    const lost = lossDuring(history, login.sent, login.got);
    if (lost) fate.possibleFrom = lost.from;
    fate.doubted = losses.some(({ to, noticed }) => login.got > to && login.sent < noticed);
    fate.mayReturn = lost !== undefined || fate.doubted;
    all.set(login.s, fate);
    const list = byUser.get(login.user);
    if (list) list.push(fate);
    else byUser.set(login.user, [fate]);
  }
  for (const logout of history.logouts) {
    const answer = history.answers.get(logout.id);
    // Refused as a request: it has done nothing.
    if (answer && answer.status >= 400 && answer.status < 500) continue;
    const lost = lossDuring(history, logout.sent, answer?.at ?? Number.POSITIVE_INFINITY) !== undefined;
    // What the database may have lost proves no more than a logout that was not answered.
    const succeeded = answer?.status === 200 && !lost ? answer : null;
    for (const fate of named(logout.cover, all, byUser)) {
      const { login } = fate;
      if (!isIn(logout.cover, login)) continue;
      // Opened after it was answered: born above its cut. One that was never answered may come late.
      if (succeeded && login.sent > succeeded.at) continue;
      fate.possible.push(logout);
      fate.mayReturn ||= lost;
      fate.possibleFrom = Math.min(fate.possibleFrom, logout.sent);
      // Opened while it was under way: it may have been born on either side.
      if (!succeeded || login.got > logout.sent) continue;
      fate.committedAt = Math.min(fate.committedAt, succeeded.at);
      // One that was not waited for is true everywhere when the lease has run out.
      const goneAt = succeeded.confirmed ? succeeded.at : succeeded.at + waitUs;
      if (goneAt < fate.goneAt) {
        fate.goneAt = goneAt;
        fate.goneBy = succeeded;
      }
    }
  }
  return all;
}

/** So long after the address led to it, somebody has read the database that took over and begun its epoch. */
const NOTICED_US = 5_000_000;

/** On a slow machine it takes longer: until a logout was confirmed there, which no node does before. */
function noticedAt({ logouts, answers }: History, { back }: LossLine): number {
  let first = Number.POSITIVE_INFINITY;
  for (const { id, sent } of logouts) {
    const answer = answers.get(id);
    if (sent > back && answer?.confirmed === true) first = Math.min(first, answer.at);
  }
  return Math.max(back + NOTICED_US, first);
}

/** The time in which the database lost commits, if it touches a span. */
export function lossDuring({ losses }: History, from: number, to: number): LossLine | undefined {
  return losses.find((loss) => from <= loss.to && to >= loss.from);
}

/** Those among whom the covered ones are. */
function named(cover: Cover, all: Map<number, Fate>, byUser: Map<number, Fate[]>): Iterable<Fate> {
  if ('s' in cover) return cover.s.flatMap((s) => all.get(s) ?? []);
  if ('user' in cover) return byUser.get(cover.user) ?? [];
  if ('users' in cover) return cover.users.flatMap((user) => byUser.get(user) ?? []);
  return all.values();
}

/** Whether a logout of this scope reaches the session, all but its time being right. */
export function isIn(cover: Cover, login: LoginLine): boolean {
  if ('s' in cover) return cover.s.includes(login.s);
  if ('user' in cover)
    return (
      login.user === cover.user &&
      login.s !== cover.except &&
      (cover.device === undefined || login.device === cover.device)
    );
  if ('users' in cover) return cover.users.includes(login.user);
  if ('client' in cover) return login.client === cover.client;
  return true;
}
