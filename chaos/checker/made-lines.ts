/** Lines as the processes of a run write them, for the checker's tests. */
import type { AnswerLine, CheckLine, Cover, Line } from '../lines.ts';
import { add, emptyHistory } from './history.ts';
import { judge } from './judge.ts';

/* Small histories for the checker: a correct one, and one for each fault that it must find. Times are in milliseconds here. */

export const LEASE = 700;
export const us = (ms: number): number => ms * 1000;

export const login = (s: number, more: Partial<Extract<Line, { t: 'login' }>> = {}): Line => ({
  t: 'login',
  s,
  sid: null,
  user: 1,
  client: 'default',
  device: 'laptop',
  via: 'v1',
  sent: us(10),
  got: us(20),
  ...more,
});
export const logout = (id: number, cover: Cover, sentMs: number): Line => ({
  t: 'logout',
  id,
  scope: 'any',
  cover,
  node: 'node1',
  sent: us(sentMs),
});
export const answer = (id: number, atMs: number, more: Partial<AnswerLine> = {}): Line => ({
  t: 'answer',
  id,
  at: us(atMs),
  status: 200,
  confirmed: true,
  ms: 5,
  acknowledged: 6,
  waitedOut: 0,
  ...more,
});
export const check = (s: number, fromMs: number, toMs: number, o: string, w = 'v1'): CheckLine => ({
  t: 'c',
  b: us(fromMs),
  e: us(toMs),
  w,
  s,
  k: 'jwt',
  o,
});
export const lastLook = (atMs: number): Line => ({ t: 'mark', what: 'last look begins', at: us(atMs) });
export const fault = (n: number, kind: string, on: string[], fromMs: number, toMs: number): Line[] => [
  { t: 'fault', n, kind, on, at: us(fromMs) },
  { t: 'healed', n, at: us(toMs) },
];

export function judged(...lines: Line[]) {
  const history = emptyHistory();
  for (const line of lines) add(history, line);
  return judge(history, LEASE);
}
export const rules = (...lines: Line[]): string[] => judged(...lines).violations.map(({ rule }) => rule);
