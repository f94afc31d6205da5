/** An address whose server can change, as a virtual IP address or a DNS name changes it in a failover. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface MovingAddress {
  readonly port: number;
  /** The same URL with this address instead of its own host and port. */
  instead(url: string): string;
  /**
   * Leads new connections to another port of this machine, or refuses them (null).
   * @param keepOpen leaves open connections where they are, as DNS does; otherwise they break, as with a virtual IP address
   */
  moveTo(port: number | null, keepOpen?: boolean): void;
  close(): Promise<void>;
}

export async function openMovingAddress(target: number | null): Promise<MovingAddress> {
  let port = target;
  const open = new Set<Socket>();
  const keep = (socket: Socket, other: () => Socket | undefined): void => {
    open.add(socket);
    socket.setNoDelay(true);
    // The end of one side ends the other.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      open.delete(socket);
      other()?.destroy();
    });
  };
  const server = createServer((near) => {
    if (port === null) {
      near.on('error', () => undefined);
      near.resetAndDestroy();
      return;
    }
    const far = connect(port, '127.0.0.1');
    keep(near, () => far);
    keep(far, () => near);
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const own = (server.address() as AddressInfo).port;
  const breakAll = (): void => {
    for (const socket of open) socket.resetAndDestroy();
  };
  return {
    port: own,
    instead(url) {
      const moved = new URL(url);
      moved.host = `127.0.0.1:${own}`;
      return moved.href;
    },
    moveTo(next, keepOpen = false) {
      port = next;
      if (!keepOpen) breakAll();
    },
    close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      breakAll();
      return closed;
    },
  };
}
