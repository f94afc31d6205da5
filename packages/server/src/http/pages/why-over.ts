import { endedKey } from '@curfew/protocol/ended-key';
import { howEnded } from '../../actions/why-ended.ts';
import { presented } from '../callers.ts';
import type { PageTexts } from './built.ts';
import type { PageCall } from './shell.ts';

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
