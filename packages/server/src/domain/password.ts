import { isCommonPassword } from './common-passwords.ts';

/* Passwords as RFC 8265 section 4 has them: two spellings that look alike are one password. */

/** Every space of Unicode is U+0020, and composed and decomposed spellings are one (OpaqueString, section 4.2.1). */
export function opaqueString(password: string): string {
  return password.replaceAll(/\p{Zs}/gu, ' ').normalize('NFC');
}

/** What is to be tried at a login: the password as it is hashed now, then as it was typed, which was hashed before. */
export function spellingsOf(password: string): string[] {
  return [...new Set([opaqueString(password), password])];
}

/** Shorter ones can be allowed by a setting, which is warned about. */
export const PASSWORD_MIN_LENGTH = 12;

/** So many characters around a word do not make it another one: "password2026!". */
const SHORT_ADDITION = 6;

/** The longest piece that a password may not consist of, over and over: "abcabcabcabc". */
const LONGEST_PIECE = 4;

/**
 * What is wrong with a new password, or null. No rules of composition, but none that is among the first that are tried
 * (NIST SP 800-63B-4 section 3.1.1.2). For a new password alone: nobody is kept from logging in by it.
 */
export function passwordFault(minLength: number, password: string): string | null {
  const prepared = opaqueString(password);
  if (/\p{Cc}/u.test(prepared)) return 'must not contain control characters';
  // Counted in characters of Unicode, as NIST counts them.
  if (Array.from(prepared).length < minLength) return `must have at least ${minLength} characters`;
  return isGuessed(prepared.toLowerCase()) ? 'is one of the first that are tried. Choose another' : null;
}

function isGuessed(password: string): boolean {
  const bare = password.replaceAll(/^[^\p{L}]+|[^\p{L}]+$/gu, '');
  return (
    isCommonPassword(password) ||
    (password.length - bare.length <= SHORT_ADDITION && isCommonPassword(bare)) ||
    isRun(password) ||
    [...repeatedPieces(password)].some((piece) => piece.length <= LONGEST_PIECE || isCommonPassword(piece))
  );
}

/** The pieces of which the text is nothing but repetitions. */
function* repeatedPieces(text: string): Generator<string> {
  for (let length = 1; length <= text.length / 2; length++) {
    const piece = text.slice(0, length);
    if (piece.repeat(Math.ceil(text.length / length)).slice(0, text.length) === text) yield piece;
  }
}

/** One character after the other in the order of their numbers, for nearly all of it: "abcdefghijkl", "987654321098". */
function isRun(text: string): boolean {
  const steps = Array.from(text, (char) => char.codePointAt(0) ?? 0).map(
    (code, i, all) => code - (all[i - 1] ?? 0),
  );
  const most = Math.max(...[-1, 0, 1].map((step) => steps.slice(1).filter((one) => one === step).length));
  return most >= (steps.length - 1) * 0.75;
}

/** Whether a secret that a machine should have made plainly was not: few characters, a repeated piece, a run. */
export function isNoSecret(text: string): boolean {
  return new Set(text).size < 8 || isRun(text) || !repeatedPieces(text).next().done;
}
