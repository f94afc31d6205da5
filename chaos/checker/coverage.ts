import type { AnswerLine, Cover, LoginLine, LogoutLine, LossLine } from '../lines.ts';
import type { History } from './history.ts';

/** How a session can have ended, by the records of the clients. */
export interface Fate {
  login: LoginLine;
  /** Logouts that may have ended it. */
  possible: LogoutLine[];
  /** When the earliest of them was sent: before this instant the session certainly lives. */
  possibleFrom: number;
  /** No check that begins after this instant may accept it. */
  goneAt: number;
  /** The answer that proves it. */
  goneBy: AnswerLine | null;
  /** From this instant the database refuses it, because a logout that covers it was answered. */
  committedAt: number;
  /** The database may have lost its login or a logout of it, so a checker may see it over and alive again. */
  mayReturn: boolean;
  /** It was opened just after the database went back, so a lost cut may refuse it until all faults have ended. */
  doubted: boolean;
}

/** For every session, the logouts that may have ended it, and those that have. */
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
    // The request was refused, so it has ended nothing.
    if (answer && answer.status >= 400 && answer.status < 500) continue;
    const lost = lossDuring(history, logout.sent, answer?.at ?? Number.POSITIVE_INFINITY) !== undefined;
    // A logout that the database may have lost proves as little as one that was not answered.
    const succeeded = answer?.status === 200 && !lost ? answer : null;
    for (const fate of named(logout.cover, all, byUser)) {
      const { login } = fate;
      if (!isIn(logout.cover, login)) continue;
      // The session was opened after the answer, so it was born above the cut. A logout without an answer may still happen later.
      if (succeeded && login.sent > succeeded.at) continue;
      fate.possible.push(logout);
      fate.mayReturn ||= lost;
      fate.possibleFrom = Math.min(fate.possibleFrom, logout.sent);
      // The session was opened while the logout was under way, so it may have been born below or above the cut.
      if (!succeeded || login.got > logout.sent) continue;
      fate.committedAt = Math.min(fate.committedAt, succeeded.at);
      // A logout that did not wait for the replicas is true everywhere after the lease.
      const goneAt = succeeded.confirmed ? succeeded.at : succeeded.at + waitUs;
      if (goneAt < fate.goneAt) {
        fate.goneAt = goneAt;
        fate.goneBy = succeeded;
      }
    }
  }
  return all;
}

/** So long after the address changed, a node has read the new database and begun its epoch. */
const NOTICED_US = 5_000_000;

/** It takes longer on a slow machine: until a logout was confirmed there, which no node does before. */
function noticedAt({ logouts, answers }: History, { back }: LossLine): number {
  let first = Number.POSITIVE_INFINITY;
  for (const { id, sent } of logouts) {
    const answer = answers.get(id);
    if (sent > back && answer?.confirmed === true) first = Math.min(first, answer.at);
  }
  return Math.max(back + NOTICED_US, first);
}

/** The time in which the database lost commits, if it overlaps a span. */
export function lossDuring({ losses }: History, from: number, to: number): LossLine | undefined {
  return losses.find((loss) => from <= loss.to && to >= loss.from);
}

/** The sessions that a logout may cover. */
function named(cover: Cover, all: Map<number, Fate>, byUser: Map<number, Fate[]>): Iterable<Fate> {
  if ('s' in cover) return cover.s.flatMap((s) => all.get(s) ?? []);
  if ('user' in cover) return byUser.get(cover.user) ?? [];
  if ('users' in cover) return cover.users.flatMap((user) => byUser.get(user) ?? []);
  return all.values();
}

/** Whether the scope of a logout contains the session, without regard to time. */
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
