/** Sessions that are begun through a login, and where they are accepted. */
import { expect } from 'vitest';
import { startSession, type StartedSession } from '../../src/actions/start-session.ts';
import { SERVICE_KEY } from '../support.ts';
import type { Node, Place } from './node.ts';

interface Beginning {
  /** The login that it is begun through. */
  through?: StartedSession | string | undefined;
  clientId?: string;
  ownClientOnly?: boolean;
}

/** Begins a session at the node, or a login. Null when it is refused. */
export function begin(
  { world }: Node,
  userId: number,
  { through, clientId = 'default', ownClientOnly = false }: Beginning = {},
): Promise<StartedSession | null> {
  const sid = typeof through === 'string' ? through : through?.session.sid;
  return startSession(
    world,
    { userId, credentialVersion: null, admins: true, actor: `user:${userId}` },
    {
      contract: 'v1',
      grant: 'bearer',
      grantType: null,
      clientId,
      device: {},
      ownClientOnly,
      ...(sid !== undefined && { origin: { how: 'through', sid } }),
    },
    { contract: 'v1', ipAddress: null, userAgent: '', requestId: null },
  );
}

/** @throws when it is refused */
export async function begun(...how: Parameters<typeof begin>): Promise<StartedSession> {
  const session = await begin(...how);
  if (!session) throw new Error('it was refused');
  return session;
}

export const bearerOf = ({ tokens }: StartedSession): string => tokens.access?.text ?? '';

/** The answers of the nodes to its access token. */
export const statusesAt = (on: Place, session: StartedSession): Promise<number[]> =>
  Promise.all(
    on.nodes.map(async (node) => (await node.call('GET', '/v1/check', { bearer: bearerOf(session) })).status),
  );

/** Creates applications. */
export async function createClients(on: Place, ...clients: string[]): Promise<void> {
  for (const client_id of clients) {
    const body = { client_id, name: client_id };
    const { status } = await on.at(0).call('POST', '/v1/admin/clients', { bearer: SERVICE_KEY, body });
    expect(status).toBe(201);
  }
}
