/*
 * A name that a person gives is shown to them, and to administrators beside others. Characters that turn the direction of
 * what stands around them (Unicode TR 36 section 2.10.2) or start a new line could make one entry of a list look
 * like another, so they go. Markup is text like any other: whoever shows it escapes it.
 */
const DIRECTIONS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const LINES = /[\p{Cc}\u2028\u2029]+/gu;

/** The name as it is kept: one line, in the direction of its own letters, of whole characters. */
export function plainName(text: string): string {
  return text.toWellFormed().replace(DIRECTIONS, '').replace(LINES, ' ').trim();
}
