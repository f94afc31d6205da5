import type { Duplex } from 'node:stream';

/* Reports the answer to an upgrade request: its connection leaves node:http, and the router never sees it. */

const waiting = new WeakMap<Duplex, (status: number | null) => void>();

/** Called once with the status of the answer; null when Curfew did not answer. */
export function onUpgradeAnswered(socket: Duplex, hear: (status: number | null) => void): void {
  waiting.set(socket, hear);
  socket.once('close', () => upgradeAnswered(socket, null));
}

export function upgradeAnswered(socket: Duplex, status: number | null): void {
  const hear = waiting.get(socket);
  waiting.delete(socket);
  hear?.(status);
}
