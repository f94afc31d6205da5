import { Failed } from '../declare.ts';
import type { Held, ProofUser } from './logins.ts';
import { addressAt, type Reply, type Requests } from './requests.ts';

/* Endings by scope, all of the proof's own user: no other session may end. */

/** The session of a credential, and its device. */
interface ProofSession {
  sid: string;
  device: string;
}

interface Scope {
  name: string;
  by: 'user' | 'administrator';
  /** The sessions that it ends; the first one asks. */
  ends(index: number): boolean;
  body(facts: readonly ProofSession[], user: ProofUser): object;
}

const one = (index: number): boolean => index === 1;
const sidOf = (facts: readonly ProofSession[]): string => facts[1]?.sid ?? '';
const deviceOf = (facts: readonly ProofSession[]): string => facts[1]?.device ?? '';

export const SCOPES: readonly Scope[] = [
  {
    name: 'selected',
    by: 'user',
    ends: one,
    body: (facts) => ({ scope: 'selected', sessions: [sidOf(facts)] }),
  },
  {
    name: 'device',
    by: 'user',
    ends: one,
    body: (facts) => ({ scope: 'device', device: deviceOf(facts) }),
  },
  { name: 'others', by: 'user', ends: (index) => index > 0, body: () => ({ scope: 'others' }) },
  { name: 'all', by: 'user', ends: () => true, body: () => ({ scope: 'all' }) },
  {
    name: 'sessions',
    by: 'administrator',
    ends: one,
    body: (facts) => ({ scope: 'sessions', sessions: [sidOf(facts)] }),
  },
  {
    name: 'device',
    by: 'administrator',
    ends: one,
    body: (facts, { id }) => ({ scope: 'device', user_id: id, device_id: deviceOf(facts) }),
  },
  {
    name: 'user',
    by: 'administrator',
    ends: () => true,
    body: (_, { id }) => ({ scope: 'user', user_id: id }),
  },
];

/** Ends by scope. @param open the sessions of `forScopes` */
export async function endByScope(
  requests: Requests,
  node: string,
  serviceKey: string,
  scope: Scope,
  open: readonly Held[],
  user: ProofUser,
): Promise<() => Promise<Reply>> {
  const facts = await Promise.all(open.map((held) => factsOf(requests, node, serviceKey, held)));
  const body = JSON.stringify(scope.body(facts, user));
  const asService = { authorization: `Bearer ${serviceKey}` };
  const [path, who] =
    scope.by === 'user' ? ['/v1/logout', open[0]?.headers] : ['/v1/admin/logout', asService];
  return () =>
    requests.send('POST', addressAt(node, path), { 'content-type': 'application/json', ...who }, body);
}

async function factsOf(
  requests: Requests,
  node: string,
  serviceKey: string,
  held: Held,
): Promise<ProofSession> {
  const reply = await requests.send(
    'POST',
    addressAt(node, '/oauth/introspect'),
    { authorization: `Bearer ${serviceKey}`, 'content-type': 'application/x-www-form-urlencoded' },
    new URLSearchParams({ token: held.text }).toString(),
  );
  const { sid, device_id: device } = JSON.parse(reply.text) as { sid?: string; device_id?: string };
  if (sid === undefined || device === undefined)
    throw new Failed(`a live session of contract ${held.contract} is not known to ${new URL(node).host}`);
  return { sid, device };
}
