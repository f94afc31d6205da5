/** A verifier of a node in the test's own process: the protocol's two ends with nothing between. */
import { claimsNotYetVerified, factsOfClaims } from '@curfew/protocol/access-token';
import { FEED_VERSION, type VerifierMessage } from '@curfew/protocol/feed-messages';
import { watch } from '@curfew/protocol/replica';
import { Subscriber } from '@curfew/protocol/subscriber';
import type { Node } from './node.ts';

export interface InProcessVerifier {
  subscriber: Subscriber;
  /** Whether it takes the session of an access token for alive, without asking anybody. */
  accepts: (jwt: string) => boolean;
  /** From here on nothing waits for it: it is asked no more. */
  stop: () => void;
}

export function verifierOf({ world }: Node): InProcessVerifier {
  const { node } = world.nodes;
  const { publisher } = node;
  const feed = publisher.join((message) => subscriber.received(message));
  const subscriber: Subscriber = new Subscriber('in-process', {
    now: () => ({ monotonicMs: performance.now(), wallMs: Date.now() }),
    send: (message) => answer(message),
    reconnect: (why) => {
      throw new Error(why);
    },
    onEnding: () => undefined,
    onNewReplica: () => undefined,
  });
  const answer = (message: VerifierMessage): void => {
    if (message.t === 'ack') publisher.acknowledge(feed, message.seq);
    if (message.t === 'renew') node.renew(feed, message.n);
  };
  subscriber.connected();
  subscriber.received({
    t: 'welcome',
    v: FEED_VERSION,
    node: node.id,
    lease: world.config.leaseMs,
    keep: node.keepMs,
    tokenLife: 300_000,
    issuer: world.config.issuer,
  });
  subscriber.received({ t: 'snapshot', seq: publisher.seq, parts: 0 });
  return {
    subscriber,
    stop() {
      feed.trustsUntilMs = Number.NEGATIVE_INFINITY;
      publisher.leave(feed);
    },
    accepts(jwt) {
      const claims = claimsNotYetVerified(jwt);
      return claims !== null && subscriber.judge(watch(factsOfClaims(claims))) === 'alive';
    },
  };
}
