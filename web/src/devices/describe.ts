import type { OwnSession } from '../session/client.ts';
import { say, shown } from '../text/say.ts';
import { moment, relative } from '../text/time.ts';
import type { Texts } from '../text/texts.ts';

/** A session that was used this recently counts as in use. */
const NOW_MS = 90_000;

/** The device by browser and system: "Firefox on Windows". */
export function makeOf(texts: Texts, { device }: OwnSession): string {
  const browser = shown(device.browser ?? '');
  const system = shown(device.system ?? '');
  if (browser !== '' && system !== '') return say(texts.device.on, { browser, system });
  return browser || system || texts.device.unknown;
}

/** The owner's name for it, else browser and system. */
export function nameOf(texts: Texts, view: OwnSession): string {
  return shown(view.device.name) || makeOf(texts, view);
}

export function activity(texts: Texts, view: OwnSession, now: Date): string {
  const seen = new Date(view.last_seen_at);
  if (view.current || now.getTime() - seen.getTime() < NOW_MS) return texts.device.activeNow;
  return say(texts.device.lastActive, { when: relative(texts.tag, seen, now) });
}

export function begun(texts: Texts, view: OwnSession): string {
  return say(texts.device.loggedIn, { date: moment(texts.tag, new Date(view.created_at)) });
}

/** When it expires without further use. */
export function endsAt(view: OwnSession): Date {
  return new Date(view.idle_expires_at < view.expires_at ? view.idle_expires_at : view.expires_at);
}

type Kind = 'computer' | 'phone' | 'program';

/** The icon. */
export function kindOf({ device }: OwnSession): Kind {
  if (/android|ios|iphone|ipados|harmony/i.test(device.system ?? '')) return 'phone';
  return device.system === null ? 'program' : 'computer';
}
