import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { World } from '../actions/world.ts';
import { createFeeds } from './feed.ts';
import type { Metrics } from './metrics.ts';
import { createNotices } from './notices.ts';
import { refuseUpgrade } from './refuse-upgrade.ts';

/** The WebSockets of this process. */
export interface Upgrades {
  /** Answers a request with `Upgrade: websocket`. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Closes all of them: the node is going away. */
  close(): void;
}

export function createUpgrades(world: World, metrics: Metrics): Upgrades {
  const byPath = new Map<string, Upgrades>([
    ['/v1/feed', createFeeds(world)],
    ['/v1/notices', createNotices(world, metrics)],
  ]);
  return {
    upgrade(request, socket, head) {
      // Not parsed as an address: what stands there may be none.
      const path = request.url?.split('?', 1)[0] ?? '';
      const there = byPath.get(path);
      if (there) there.upgrade(request, socket, head);
      else refuseUpgrade(socket, 'not_found');
    },
    close() {
      for (const there of byPath.values()) there.close();
    },
  };
}
