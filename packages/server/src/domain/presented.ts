import { type PresentedCredential, readPresented } from '@curfew/protocol/reading/read-presented';
import { type Credential, parseBearer, parseOpaque } from './credentials.ts';

/** The credential that a request presents to the authority. */
export type Presented = PresentedCredential<Credential>;

const PARSERS = { header: parseBearer, cookie: (text: string) => parseOpaque('cookie', text) };

export const readCredential = (
  authorization: string | null | undefined,
  cookies: string | null | undefined,
  cookieName: string,
): Presented => readPresented(authorization, cookies, cookieName, PARSERS);
