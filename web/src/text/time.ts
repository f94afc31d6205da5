/** Instants and durations in a language. Formatters are expensive, so each is created once. */
const kept = new Map<string, Intl.DateTimeFormat | Intl.RelativeTimeFormat | Intl.NumberFormat>();

function once<F extends Intl.DateTimeFormat | Intl.RelativeTimeFormat | Intl.NumberFormat>(
  key: string,
  make: () => F,
): F {
  const found = kept.get(key) ?? make();
  kept.set(key, found);
  return found as F;
}

/** The browser's variant of the language, for the user's own formats of days and hours. */
function regional(tag: string): string {
  const language = tag.split('-', 1)[0];
  return navigator.languages.find((one) => one.split('-', 1)[0] === language) ?? tag;
}

const STEPS: readonly (readonly [Intl.RelativeTimeFormatUnit, seconds: number])[] = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
];

/** "3 minutes ago", "in 12 minutes", "yesterday": in the largest fitting unit, from minutes to days. */
export function relative(tag: string, at: Date, now: Date): string {
  const seconds = (at.getTime() - now.getTime()) / 1000;
  const format = once(`relative ${tag}`, () => new Intl.RelativeTimeFormat(tag, { numeric: 'auto' }));
  const [unit, size] = STEPS.find(([, length]) => Math.abs(seconds) >= length) ?? ['minute', 60];
  // Future times are rounded up, so that nobody comes too early.
  const said = format.format(seconds > 0 ? Math.ceil(seconds / size) : Math.ceil(seconds / size) || -1, unit);
  // It is within a sentence; the Vietnamese "Hôm qua" is capitalised.
  return said.charAt(0).toLocaleLowerCase(tag) + said.slice(1);
}

/** A day and a time: "20 Nov 2026, 19:04". */
export function moment(tag: string, at: Date): string {
  return once(
    `moment ${tag}`,
    () => new Intl.DateTimeFormat(regional(tag), { dateStyle: 'medium', timeStyle: 'short' }),
  ).format(at);
}

/** A day and a time with seconds, for a log. */
export function toTheSecond(tag: string, at: Date): string {
  return once(
    `second ${tag}`,
    () => new Intl.DateTimeFormat(regional(tag), { dateStyle: 'medium', timeStyle: 'medium' }),
  ).format(at);
}

/** In full, with the zone. */
export function exactly(tag: string, at: Date): string {
  return once(
    `exactly ${tag}`,
    () => new Intl.DateTimeFormat(regional(tag), { dateStyle: 'full', timeStyle: 'long' }),
  ).format(at);
}

/** A measured duration: "4.5 ms", "1.2 s". */
export function took(tag: string, ms: number): string {
  return ms < 1000
    ? number(tag, 'millisecond', 'short', ms < 10 ? 1 : 0).format(ms)
    : number(tag, 'second', 'short', 1).format(ms / 1000);
}

/** A duration in words, in the largest fitting unit: "30 minutes". */
export function lasting(tag: string, seconds: number): string {
  const [unit, size] = STEPS.find(([, length]) => seconds >= length) ?? ['second', 1];
  return number(tag, unit, 'long', 0).format(Math.round(seconds / size));
}

function number(tag: string, unit: string, unitDisplay: 'short' | 'long', digits: number): Intl.NumberFormat {
  return once(
    `${unit} ${unitDisplay} ${digits} ${tag}`,
    () => new Intl.NumberFormat(tag, { style: 'unit', unit, unitDisplay, maximumFractionDigits: digits }),
  );
}
