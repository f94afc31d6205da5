/*
 * Names that users give are shown to administrators in lists. Characters that change the direction of their surroundings (Unicode
 * TR 36 section 2.10.2) or begin a new line could make one entry look like another, so they are removed. Markup is text: pages
 * escape it.
 */
const DIRECTIONS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const LINES = /[\p{Cc}\u2028\u2029]+/gu;

/** Returns the name as stored: one line, without direction controls, of whole characters. */
export function plainName(text: string): string {
  return text.toWellFormed().replace(DIRECTIONS, '').replace(LINES, ' ').trim();
}
