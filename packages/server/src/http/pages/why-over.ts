import type { SessionEnd } from '@curfew/protocol/notices';
import { howEnded } from '../../actions/why-ended.ts';
import { presented } from '../callers.ts';
import type { PageTexts } from './built.ts';
import type { PageCall } from './shell.ts';

/** Acts on the account or the session, by the name of their sentence in `web/languages`. */
const BY_REASON: Partial<Record<SessionEnd['reason'], string>> = {
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
};
/** For a plain logout: whose it was. */
const BY_WHOM: Record<SessionEnd['by'], string> = {
  self: 'you',
  other_device: 'other_device',
  administrator: 'administrator',
  service: 'service',
  system: 'unknown',
};

/** The name of the sentence for an ending; `web/src/session/ended.ts` has the same for open pages. */
export function endedKey({ reason, by }: SessionEnd): string {
  return BY_REASON[reason] ?? BY_WHOM[by];
}

/** Why the session of the request's cookie ended, as a sentence and its name; null when there is nothing to say. */
export async function whyOver({
  c,
  texts,
}: PageCall): Promise<{ key: string; sentence: string | null } | null> {
  const from = presented(c);
  if (from.via !== 'cookie' || !from.credential) return null;
  const known = await howEnded(c.get('world'), from.credential);
  if (!known) return null;
  const key = endedKey(known.ended);
  return { key, sentence: key === 'idle' ? idle(texts, known.idleSeconds) : (texts.ended[key] ?? null) };
}

const UNITS = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
] as const;

function idle({ tag, ended }: PageTexts, seconds: number): string | null {
  const [unit, size] = UNITS.find(([, length]) => seconds >= length) ?? UNITS[3];
  const format = new Intl.NumberFormat(tag, {
    style: 'unit',
    unit,
    unitDisplay: 'long',
    maximumFractionDigits: 0,
  });
  return ended['idle_after']?.replace('{time}', format.format(seconds / size)) ?? null;
}
