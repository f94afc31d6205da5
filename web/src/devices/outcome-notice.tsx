import type { VNode } from 'preact';
import { useFocusOn } from '../parts/focus.ts';
import type { LogoutResult } from '../session/client.ts';
import { say, sayCount } from '../text/say.ts';
import { type Texts, useTexts } from '../text/texts.ts';
import { took } from '../text/time.ts';
import { nameOf } from './describe.ts';
import type { DevicesLogout } from './devices.ts';

/** The result of an act, and the time to its confirmation. It takes the focus, because the button is gone. */
export function OutcomeNotice({ outcome }: { outcome: DevicesLogout }): VNode {
  const texts = useTexts();
  const place = useFocusOn(outcome);
  return (
    <div class="notice good" tabIndex={-1} ref={place}>
      <p>{endedWhat(texts, outcome)}</p>
      <p class="small">{everywhere(texts, outcome.result)}</p>
    </div>
  );
}

function endedWhat(texts: Texts, { device, result }: DevicesLogout): string {
  const { tag, devices } = texts;
  if (device) return say(devices.endedThat, { device: nameOf(texts, device) });
  if (result.server === 'pending') return devices.later;
  return result.ended === 0 ? devices.endedNone : sayCount(tag, devices.endedCount, result.ended);
}

/** The sentences for the numbers of the answer. */
export function everywhere({ tag, devices }: Texts, result: LogoutResult): string {
  if (result.server === 'pending') return '';
  if (!result.confirmed) return devices.notEverywhere;
  const { ms, acknowledged, waited_out: waitedOut } = result;
  return [
    say(devices.everywhere, { time: took(tag, ms) }),
    acknowledged > 0 ? sayCount(tag, devices.acknowledged, acknowledged) : '',
    waitedOut > 0 ? sayCount(tag, devices.waitedOut, waitedOut) : '',
  ]
    .filter((sentence) => sentence !== '')
    .join(' ');
}
