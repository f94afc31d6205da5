/** Signs texts, and recognises those that another holder of the key signed. */
export interface Authenticator {
  sign(text: string): string;
  verifies(text: string, mac: string): boolean;
}

const MARK = ',"mac":"';
const END = '"}';

/**
 * Adds a MAC to a JSON object as its last member: a reader that does not know it reads the object as before.
 * @param about the context that the object belongs to; the reader names the same one
 */
export function seal(json: string, about: string, authenticator: Authenticator): string {
  return `${json.slice(0, -1)}${MARK}${authenticator.sign(textOf(json, about))}${END}`;
}

/** Opens a sealed object; null when the MAC does not verify. The MAC covers the text itself, so nothing unverified is parsed. */
export function unseal(text: string, about: string, authenticator: Authenticator): string | null {
  const at = text.lastIndexOf(MARK);
  if (at < 0 || !text.endsWith(END)) return null;
  const json = `${text.slice(0, at)}}`;
  const mac = text.slice(at + MARK.length, -END.length);
  return authenticator.verifies(textOf(json, about), mac) ? json : null;
}

const textOf = (json: string, about: string): string => `${about}\n${json}`;
