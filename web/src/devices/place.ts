import type { OwnSession } from '../session/client.ts';
import { say, shown } from '../text/say.ts';
import type { Texts } from '../text/texts.ts';

/** "near Gdańsk"; where only the country is known, its name; empty where nothing is. */
export function near(texts: Texts, place: OwnSession['place']): string {
  if (!place) return '';
  const city = shown(nameIn(texts.tag, place.city));
  return city === '' ? countryOf(texts.tag, place) : say(texts.device.near, { place: city });
}

/** The country's name in that language; empty where it is not known. */
export function countryOf(tag: string, place: OwnSession['place']): string {
  if (!place?.country || !/^[A-Z]{2}$/.test(place.country)) return '';
  return new Intl.DisplayNames(tag, { type: 'region', fallback: 'none' }).of(place.country) ?? '';
}

/** Databases have few languages, and spell Chinese in their own way: the same language will do, else English, else any. */
function nameIn(tag: string, names: Record<string, string>): string {
  const all = Object.entries(names);
  const of = (wanted: string | undefined): string | undefined =>
    all.find(([language]) => language.split('-', 1)[0] === wanted)?.[1];
  return of(tag.split('-', 1)[0]) ?? of('en') ?? all[0]?.[1] ?? '';
}
