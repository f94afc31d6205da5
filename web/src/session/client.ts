import { type Client, createClient } from '@curfew/client';

export type {
  Client,
  LoggedOut,
  LogoutOptions,
  LogoutResult,
  CurrentSession,
  OwnSession,
  LogoutAnswer,
} from '@curfew/client';

/**
 * The pages' client, with the cookie, so that no script can read the credential.
 * @param authority another address than the page's own origin: a path, or for elements in other pages any address
 */
export function createCookieClient(authority?: string): Client {
  return createClient({ mode: 'cookie', authority: authority || undefined });
}
