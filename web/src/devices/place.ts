import type { OwnSession } from '../session/client.ts';
import { say, shown } from '../text/say.ts';
import type { Texts } from '../text/texts.ts';

/** "near Gdańsk"; the country's name where no city is known; empty without a place. */
export function near(texts: Texts, place: OwnSession['place']): string {
  if (!place) return '';
  const city = shown(nameIn(texts.tag, place.city));
  return city === '' ? countryOf(texts.tag, place) : say(texts.device.near, { place: city });
}

/** The country's name in the language; empty when unknown. */
export function countryOf(tag: string, place: OwnSession['place']): string {
  if (!place?.country || !/^[A-Z]{2}$/.test(place.country)) return '';
  return new Intl.DisplayNames(tag, { type: 'region', fallback: 'none' }).of(place.country) ?? '';
}

/** Databases have few languages and their own codes for Chinese: the same language is enough, else English, else any. */
function nameIn(tag: string, names: Record<string, string>): string {
  const all = Object.entries(names);
  const of = (wanted: string | undefined): string | undefined =>
    all.find(([language]) => language.split('-', 1)[0] === wanted)?.[1];
  return of(tag.split('-', 1)[0]) ?? of('en') ?? all[0]?.[1] ?? '';
}
