import { endedKey } from '@curfew/protocol/ended-key';
import { say } from '../text/say.ts';
import { lasting } from '../text/time.ts';
import type { Texts } from '../text/texts.ts';

/** The end of a session, as server and client report it. */
interface Ended {
  reason: string;
  by: string;
}

/** Why a session ended, in a sentence. @param idleSeconds the idle lifetime, if known */
export function endedSentence(texts: Texts, ended: Ended, idleSeconds: number | null): string {
  const key = endedKey(ended);
  if (key === 'idle' && idleSeconds !== null)
    return say(texts.ended.idle_after, { time: lasting(texts.tag, idleSeconds) });
  return texts.ended[key];
}
