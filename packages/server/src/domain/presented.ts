import { bearerText } from '@curfew/protocol/bearer';
import { type Credential, parseBearer, parseOpaque } from './tokens.ts';

/** What a request brought to say who it is. */
export type Presented =
  | { via: 'none' }
  /** `credential` is null for a text that is none of ours. A request with a header is judged by the header alone. */
  | { via: 'header'; credential: Credential | null; text: string }
  | { via: 'cookie'; credential: Credential | null };

/** Reads the credential of a request. */
export function readCredential(
  authorization: string | null | undefined,
  cookieHeader: string | null | undefined,
  cookieName: string,
): Presented {
  if (authorization !== null && authorization !== undefined) {
    const text = bearerText(authorization);
    return { via: 'header', credential: text === null ? null : parseBearer(text), text: text ?? '' };
  }
  const values = cookieValues(cookieHeader ?? '', cookieName);
  if (values.length === 0) return { via: 'none' };
  // Two cookies of the name: somebody has planted one (cookie tossing). Neither is picked.
  const [value] = values;
  if (values.length > 1 || value === undefined) return { via: 'cookie', credential: null };
  return { via: 'cookie', credential: parseOpaque('cookie', value) };
}

function cookieValues(header: string, name: string): string[] {
  if (!header.includes(name)) return [];
  const prefix = `${name}=`;
  return header
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(prefix))
    .map((pair) => pair.slice(prefix.length));
}
