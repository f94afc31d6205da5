import type { Verifier } from '@curfew/verifier';
import { Failed } from '../declare.ts';
import type { Held } from './logins.ts';
import { addressAt, type Requests } from './requests.ts';

/** Accepted, refused, or refused because it cannot tell: safe, but no proof that the logout is known. */
export type CheckAnswer = 'accepted' | 'refused' | 'unsure';

/** A place that accepts credentials: a node, a replica, a proxy's check, a back end. */
export interface Surface {
  name: string;
  /** Checks the credential now. */
  check(held: Held): Promise<CheckAnswer>;
  close(): Promise<void>;
}

const READY_MS = 10_000;
const nothingToClose = (): Promise<void> => Promise.resolve();

/** A node over HTTP, as back ends and proxies ask it. */
export function nodeSurfaces(
  requests: Requests,
  node: string,
  serviceKey: string,
  cookieName: string,
): Surface[] {
  const { host } = new URL(node);
  return [
    {
      name: `introspection at ${host}`,
      async check(held) {
        const reply = await requests.send(
          'POST',
          addressAt(node, '/oauth/introspect'),
          {
            authorization: `Bearer ${serviceKey}`,
            'content-type': 'application/x-www-form-urlencoded',
          },
          new URLSearchParams({ token: held.text }).toString(),
        );
        if (reply.status === 503) return 'unsure';
        if (reply.status !== 200) throw new Failed(`${host} answered an introspection with ${reply.status}`);
        return (JSON.parse(reply.text) as { active: boolean }).active ? 'accepted' : 'refused';
      },
      close: nothingToClose,
    },
    {
      name: `proxy check at ${host}`,
      check: async (held) =>
        verdictOf(
          (await requests.send('GET', addressAt(node, '/v1/check'), headersOf(held, cookieName))).status,
        ),
      close: nothingToClose,
    },
  ];
}

/** A protected back end: its address answers 2xx to a live session and 401 to another. */
export function backEndSurface(requests: Requests, url: string, cookieName: string): Surface {
  const { host } = new URL(url);
  return {
    name: `back end at ${host}`,
    check: async (held) => verdictOf((await requests.send('GET', url, headersOf(held, cookieName))).status),
    close: nothingToClose,
  };
}

/** A verifier in this process that follows the node: it answers from memory, asks where it may, or refuses. */
export async function replicaSurface(
  node: string,
  serviceKey: string,
  audiences: readonly string[],
  onStale: 'ask' | 'refuse',
): Promise<Surface> {
  const { host } = new URL(node);
  const { createVerifier } = await import('@curfew/verifier');
  const verifier: Verifier = createVerifier({
    authority: node,
    serviceKey,
    audience: audiences,
    onStale,
    log: () => undefined,
  });
  if (!(await verifier.ready(READY_MS))) {
    await verifier.close();
    throw new Failed(`a verifier did not become fresh at ${node} within ten seconds`);
  }
  return {
    name: `replica of ${host}${onStale === 'refuse' ? ' that may not ask' : ''}`,
    async check(held) {
      const verified = await verifier.verify(held.text);
      if (verified.ok) return 'accepted';
      return verified.reason === 'stale' || verified.reason === 'unavailable' ? 'unsure' : 'refused';
    },
    close: () => verifier.close(),
  };
}

function headersOf(held: Held, cookieName: string): Record<string, string> {
  return held.via === 'cookie'
    ? { cookie: `${cookieName}=${held.text}` }
    : { authorization: `Bearer ${held.text}` };
}

/** @throws Failed for an answer that says nothing about the session: 403 is for a logged-in user (RFC 9110 section 15.5.4) */
function verdictOf(status: number): CheckAnswer {
  if (status >= 200 && status < 300) return 'accepted';
  if (status === 401) return 'refused';
  if (status === 503) return 'unsure';
  throw new Failed(`a check was answered with ${status}`);
}
