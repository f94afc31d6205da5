import type { Duplex } from 'node:stream';

/* Whoever answers an upgrade says so here: its connection leaves node:http, and the router never sees the request. */

const waiting = new WeakMap<Duplex, (status: number | null) => void>();

/** Hears once how the request on this connection was answered; null when it was left without an answer of ours. */
export function onUpgradeAnswered(socket: Duplex, hear: (status: number | null) => void): void {
  waiting.set(socket, hear);
  socket.once('close', () => upgradeAnswered(socket, null));
}

export function upgradeAnswered(socket: Duplex, status: number | null): void {
  const hear = waiting.get(socket);
  waiting.delete(socket);
  hear?.(status);
}
