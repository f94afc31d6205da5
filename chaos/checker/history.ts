import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type {
  AnswerLine,
  BelieverLine,
  CheckLine,
  Line,
  LoginLine,
  LogoutLine,
  LossLine,
  Mark,
  WaitedLine,
} from '../lines.ts';

type FaultLine = Extract<Line, { t: 'fault' }>;
type RefreshLine = Extract<Line, { t: 'refresh' }>;

/** The records of all processes. Only the order within each file counts. */
export interface History {
  logins: LoginLine[];
  refreshes: RefreshLine[];
  logouts: LogoutLine[];
  answers: Map<number, AnswerLine>;
  checks: CheckLine[];
  believer: BelieverLine[];
  faults: FaultLine[];
  /** When each fault was over, by its number. */
  healed: Map<number, number>;
  losses: LossLine[];
  waited: WaitedLine[];
  marks: Map<Mark, number>;
  /** How many forgeries there were, by kind. */
  forged: Map<string, number>;
}

export function emptyHistory(): History {
  return {
    logins: [],
    refreshes: [],
    logouts: [],
    answers: new Map(),
    checks: [],
    believer: [],
    faults: [],
    healed: new Map(),
    losses: [],
    waited: [],
    marks: new Map(),
    forged: new Map(),
  };
}

/** Reads every file of a directory. A process that was killed may have left half a line, but only at the end of its file. */
export function readHistory(directory: string): History {
  const history = emptyHistory();
  for (const name of readdirSync(directory)) {
    if (!name.endsWith('.jsonl')) continue;
    const lines = readFileSync(join(directory, name), 'utf8').split('\n');
    // After the last complete line there is nothing, or half a line.
    lines.pop();
    for (const line of lines) add(history, JSON.parse(line) as Line);
  }
  return history;
}

export function add(history: History, line: Line): void {
  switch (line.t) {
    case 'c':
      history.checks.push(line);
      return;
    case 'believer':
      history.believer.push(line);
      return;
    case 'login':
      history.logins.push(line);
      return;
    case 'refresh':
      history.refreshes.push(line);
      return;
    case 'logout':
      history.logouts.push(line);
      return;
    case 'answer':
      history.answers.set(line.id, line);
      return;
    case 'fault':
      history.faults.push(line);
      return;
    case 'healed':
      history.healed.set(line.n, line.at);
      return;
    case 'waited':
      history.waited.push(line);
      return;
    case 'lost':
      history.losses.push(line);
      return;
    case 'mark':
      history.marks.set(line.what, line.at);
      return;
    case 'forged':
      history.forged.set(line.what, (history.forged.get(line.what) ?? 0) + line.count);
      return;
    case 'process':
  }
}
