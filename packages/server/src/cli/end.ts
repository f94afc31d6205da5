import type { Logout } from '@curfew/protocol/wire/logout';
import type { AdminTarget } from '../actions/end-sessions.ts';
import { requireNote } from './arguments.ts';
import { type CommandLine, type Option, CommandRefused } from './declare.ts';
import type { Operator } from './operator.ts';
import { counted, plain } from './terminal.ts';

export const HOW: Record<string, Option> = {
  'no-wait': {
    about: 'Return after the commit, without waiting until every process knows (at most a lease later).',
  },
  note: { value: 'TEXT', about: 'A reason for the log, at most 500 characters.' },
  'dry-run': { about: 'End nothing. Print how many sessions would end, and the newest of them.' },
};

/** Prints the preview, if that was asked for. @returns whether it was */
export async function previewed(
  line: CommandLine,
  operator: Operator,
  target: AdminTarget,
): Promise<boolean> {
  if (!line.flag('dry-run')) return false;
  const preview = await operator.preview(target);
  const { count, sample } = preview;
  const shown = sample.map(({ id, user_id, client_id, device, ip_address }) =>
    [id, `user ${user_id}`, client_id, device.name || device.id, ip_address ?? ''].map(plain).join('  '),
  );
  line.terminal.answer(preview, [`Dry run: ${counted(count, 'session')} would end.`, ...shown].join('\n'));
  return true;
}

/**
 * Ends sessions, prints the result, and then shows the progress of marking.
 * @throws CommandRefused when everyone's are to end and the number was not confirmed
 */
export async function endAndReport(
  line: CommandLine,
  operator: Operator,
  target: AdminTarget,
  confirm: number | null = null,
): Promise<Logout> {
  const wait = line.flag('no-wait') ? 'none' : 'replicas';
  const ending = await operator.end(target, { confirm, wait, note: await requireNote(line.text('note')) });
  if (ending.outcome === 'confirmation_required') {
    line.terminal.answer(ending, `${counted(ending.count, 'session')} would end.`);
    throw new CommandRefused(
      `nothing was ended. To continue, repeat with --confirm ${ending.count}, or with --yes.`,
    );
  }
  line.terminal.answer(ending.result, sentence(ending.result));
  if (ending.result.more) await showMarking(line, operator, target);
  return ending.result;
}

function sentence({ ended, confirmed, ms, acknowledged, waited_out: waitedOut }: Logout): string {
  const what = ended === 0 ? 'No session had to be ended.' : `Ended ${counted(ended, 'session')}.`;
  if (!confirmed) return `${what} Committed in ${ms} ms. The command did not wait for the other nodes.`;
  const others =
    acknowledged + waitedOut === 0
      ? ''
      : ` ${counted(acknowledged, 'other replica')} acknowledged, ${waitedOut} waited out.`;
  return `${what} Logged out everywhere in ${ms} ms.${others}`;
}

/** The sessions are over; marking is for readers of the table, and its failure is not one of the logout. */
async function showMarking(line: CommandLine, operator: Operator, target: AdminTarget): Promise<void> {
  const progress = line.terminal.progress();
  let all: number | undefined;
  let left = 0;
  const marked = (): string => `Updating rows: ${(all ?? 0) - left} of ${all ?? 0}`;
  try {
    const here = await operator.watchMarking(target, (now) => {
      all ??= now;
      left = now;
      progress.show(marked());
    });
    if (!here) line.terminal.note('The server updates their rows in the background.');
    else if (left === 0) progress.end(marked());
    else progress.end(`${marked()}; the servers update the rest`);
  } catch {
    // The marker has a durable cursor: the next process continues.
    progress.end();
    line.terminal.note('The update of their rows was interrupted. The next process that runs continues it.');
  }
}
