/*
 * Names that users give are shown to others in lists. Characters that change the direction of their surroundings (Unicode TR 36
 * section 2.10.2) or begin a new line could make one entry look like another. Markup is text: pages escape it.
 */
const DIRECTIONS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const LINES = /[\p{Cc}\u2028\u2029]+/gu;
/** Whatever is not seen. Both joiners stay: families of emoji need them, and Persian words. */
const UNSEEN = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/**
 * Returns a name as it is stored: one line, without direction controls, of whole characters.
 * @example
 * import { plainName } from '@curfew/protocol/reading/plain-name';
 *
 * const name = plainName('My\nphone'); // 'My phone'
 */
export function plainName(text: string): string {
  return text.toWellFormed().replace(DIRECTIONS, '').replace(LINES, ' ').trim();
}

/**
 * Returns a foreign text as it can be shown: each control, direction or invisible character replaced.
 * @example
 * import { replaceUnseen } from '@curfew/protocol/reading/plain-name';
 *
 * const text = replaceUnseen('a\u001b[2Jb', ' '); // 'a [2Jb'
 */
export function replaceUnseen(text: string, replacement: string): string {
  return text.replace(UNSEEN, replacement);
}
