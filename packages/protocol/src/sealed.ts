/** Whoever has the key: signs texts, and knows which were signed by another holder. */
export interface Authenticator {
  sign(text: string): string;
  verifies(text: string, mac: string): boolean;
}

const MARK = ',"mac":"';
const END = '"}';

/**
 * Adds a MAC to a JSON object as its last member: whoever does not know of it reads the object as before.
 * @param about what the object must not be mistaken for; the reader names the same
 */
export function seal(json: string, about: string, authenticator: Authenticator): string {
  return `${json.slice(0, -1)}${MARK}${authenticator.sign(textOf(json, about))}${END}`;
}

/** The object as it was sealed, or null. Only what verifies is ever parsed: the MAC is of the text itself. */
export function unseal(text: string, about: string, authenticator: Authenticator): string | null {
  const at = text.lastIndexOf(MARK);
  if (at < 0 || !text.endsWith(END)) return null;
  const json = `${text.slice(0, at)}}`;
  const mac = text.slice(at + MARK.length, -END.length);
  return authenticator.verifies(textOf(json, about), mac) ? json : null;
}

const textOf = (json: string, about: string): string => `${about}\n${json}`;
