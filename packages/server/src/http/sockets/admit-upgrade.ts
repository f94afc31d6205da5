import type { IncomingMessage } from 'node:http';
import { admit, type Caller, type Denial } from '../../actions/admit.ts';
import type { Presented } from '../../domain/presented.ts';
import type { World } from '../../world/world.ts';
import type { Endpoint } from '../contract/family.ts';

/** The caller that opens a WebSocket, by the rule of its row, as of any other request. */
export function admitUpgrade(
  world: World,
  { row }: Endpoint,
  { headers }: IncomingMessage,
  from: Presented,
  ipAddress: string | null,
): Promise<Caller | Denial> {
  const header = (name: string): string | undefined => headers[name]?.toString();
  return admit(world, row.caller, { from, header, ipAddress, handshake: true }, (contract = 'v1') => ({
    contract,
    ipAddress,
    userAgent: headers['user-agent'] ?? '',
    requestId: null,
  }));
}
