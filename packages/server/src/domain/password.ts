import { isCommonPassword } from './common-passwords.ts';

/* Passwords by RFC 8265 section 4: two spellings that look alike are one password. */

/** Every Unicode space becomes U+0020, and composed and decomposed spellings are one (OpaqueString, section 4.2.1). */
export function opaqueString(password: string): string {
  return password.replaceAll(/\p{Zs}/gu, ' ').normalize('NFC');
}

/** The spellings to try at a login: as passwords are hashed now, then as typed, which earlier versions hashed. */
export function spellingsOf(password: string): string[] {
  return [...new Set([opaqueString(password), password])];
}

/** A setting can allow shorter ones; the log warns of it. */
export const PASSWORD_MIN_LENGTH = 12;

/** Up to this many characters around a common word do not make it uncommon: "password2026!". */
const SHORT_ADDITION = 6;

/** The longest piece that a password may not consist of entirely: "abcabcabcabc". */
const LONGEST_PIECE = 4;

/**
 * Returns the problem of a new password, or null. No composition rules, but no password that attackers try first (NIST SP
 * 800-63B-4 section 3.1.1.2). Logins are not checked, so nobody is locked out.
 */
export function passwordFault(minLength: number, password: string): string | null {
  const prepared = opaqueString(password);
  if (/\p{Cc}/u.test(prepared)) return 'must not contain control characters';
  // Counted in Unicode characters, as NIST does.
  if (Array.from(prepared).length < minLength) return `must have at least ${minLength} characters`;
  return isGuessed(prepared.toLowerCase()) ? 'is too common. Choose another' : null;
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

/** The shortest piece whose repetition is the text. */
function* repeatedPieces(text: string): Generator<string> {
  for (let length = 1; length <= text.length / 2; length++) {
    const piece = text.slice(0, length);
    if (piece.repeat(Math.ceil(text.length / length)).slice(0, text.length) === text) yield piece;
  }
}

/** Nearly all characters follow each other by code: "abcdefghijkl", "987654321098". */
function isRun(text: string): boolean {
  const steps = Array.from(text, (char) => char.codePointAt(0) ?? 0).map(
    (code, i, all) => code - (all[i - 1] ?? 0),
  );
  const most = Math.max(...[-1, 0, 1].map((step) => steps.slice(1).filter((one) => one === step).length));
  return most >= (steps.length - 1) * 0.75;
}

/** Whether a secret that should be random clearly is not: few characters, a repeated piece, a run. */
export function isNoSecret(text: string): boolean {
  return new Set(text).size < 8 || isRun(text) || !repeatedPieces(text).next().done;
}
