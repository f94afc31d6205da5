import { say } from '../text/say.ts';
import { lasting } from '../text/time.ts';
import type { Texts } from '../text/texts.ts';

/** The end of a session, as server and client report it. */
interface Ended {
  reason: string;
  by: string;
}

type Key = keyof Texts['ended'];

const BY_REASON = new Map<string, Key>(
  Object.entries({
    idle_timeout: 'idle',
    absolute_timeout: 'expired',
    password_changed: 'password_changed',
    password_reset: 'password_reset',
    role_changed: 'role_changed',
    user_disabled: 'disabled',
    user_deleted: 'deleted',
    replaced_by_login: 'replaced',
    renewed: 'replaced',
    refresh_replay: 'replay',
  }),
);
const BY_WHOM = new Map<string, Key>(
  Object.entries({
    self: 'you',
    other_device: 'other_device',
    administrator: 'administrator',
    service: 'service',
  }),
);

/** The name of the sentence for an ending: acts on the account first, then the actor. */
export function endedKey({ reason, by }: Ended): Key {
  return BY_REASON.get(reason) ?? BY_WHOM.get(by) ?? 'unknown';
}

/** Why a session ended, in a sentence. @param idleSeconds the idle lifetime, if known */
export function endedSentence(texts: Texts, ended: Ended, idleSeconds: number | null): string {
  const key = endedKey(ended);
  if (key === 'idle' && idleSeconds !== null)
    return say(texts.ended.idle_after, { time: lasting(texts.tag, idleSeconds) });
  return texts.ended[key];
}
