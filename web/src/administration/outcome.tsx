import type { Logout } from '@curfew/protocol/wire/logout';
import { type Signal, useSignal } from '@preact/signals';
import type { VNode } from 'preact';
import { useEffect } from 'preact/hooks';
import { everywhere } from '../devices/outcome-notice.tsx';
import { useFocusOn } from '../parts/focus.ts';
import { apiFaultOf } from '../session/problem.ts';
import { sayCount } from '../text/say.ts';
import { type Texts, useTexts } from '../text/texts.ts';
import type { Api } from './api.ts';

/** The result of an act, or its error. */
export interface ActOutcome {
  good: boolean;
  sentence: string;
  ended?: Logout;
}

/** Runs an act and stores its result. @returns whether it was done */
export async function runAct(
  texts: Texts,
  outcome: Signal<ActOutcome | null>,
  act: () => Promise<ActOutcome>,
): Promise<boolean> {
  outcome.value = null;
  try {
    outcome.value = await act();
    return true;
  } catch (error) {
    outcome.value = { good: false, sentence: faultSentence(texts, error) };
    return false;
  }
}

export function faultSentence({ administration, login }: Texts, error: unknown): string {
  const { code } = apiFaultOf(error);
  if (code === 'not_logged_out') return administration.notEnded;
  if (code === 'last_administrator') return administration.lastAdministrator;
  return code === 'unreachable' ? login.unreachable : administration.failed;
}

/** The ended sessions, in a sentence. */
export function endedOutcome({ tag, administration: { outcome } }: Texts, ended: Logout): ActOutcome {
  const sentence = ended.ended === 0 ? outcome.nothing : sayCount(tag, outcome.ended, ended.ended);
  return { good: true, sentence, ended };
}

const LOOK_MS = 1000;
/** The logout itself marks this many rows; the rest follows. */
const MARKED_AT_ONCE = 100;

/** Shows the result of an act. Background work is counted down, and nothing waits for it. */
export function ActOutcomeNotice({ outcome, api }: { outcome: ActOutcome; api: Api }): VNode {
  const texts = useTexts();
  const place = useFocusOn(outcome);
  const { ended } = outcome;
  return (
    <div
      class={outcome.good ? 'notice good' : 'notice bad'}
      role={outcome.good ? 'status' : 'alert'}
      tabIndex={-1}
      ref={place}
    >
      <p>{outcome.sentence}</p>
      {ended ? <p class="small">{everywhere(texts, { local: true, server: 'done', ...ended })}</p> : null}
      {ended && ended.ended > MARKED_AT_ONCE ? <MarkingProgress api={api} key={ended.ms} /> : null}
    </div>
  );
}

/** The progress of marking after a large logout. */
function MarkingProgress({ api }: { api: Api }): VNode | null {
  const { tag, administration } = useTexts();
  const left = useSignal<number | null>(null);
  const most = useSignal(0);
  useEffect(() => {
    let timer: number | undefined;
    let quiet = 0;
    const look = async (): Promise<void> => {
      try {
        const { marking } = await api.state();
        left.value = marking.reduce((sum, one) => sum + one.left, 0);
        most.value = Math.max(most.value, left.value);
        quiet = left.value === 0 ? quiet + 1 : 0;
      } catch {
        // Asked again in a moment. An ended session is reported elsewhere.
      }
      if (quiet < 2) timer = window.setTimeout(() => void look(), LOOK_MS);
    };
    void look();
    return () => clearTimeout(timer);
  }, []);
  if (left.value === null) return null;
  const words = administration.outcome;
  const sentence = left.value === 0 ? words.marked : sayCount(tag, words.marking, left.value);
  return (
    <div class="marking">
      {most.value > 0 ? (
        <progress max={most.value} value={most.value - left.value} aria-label={sentence} />
      ) : null}
      <p class="small">{sentence}</p>
    </div>
  );
}
