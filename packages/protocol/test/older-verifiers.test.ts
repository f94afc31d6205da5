/** Verifiers of version 1 of the feed, which do not know every kind of cut (docs/decisions/0068). */
import { cutAll, tenantKey } from '@curfew/protocol/cuts';
import type { NodeMessage } from '@curfew/protocol/feed-messages';
import { Publisher, type Tally } from '@curfew/protocol/publisher';
import { beforeEach, describe, expect, test } from 'vitest';
import { clock, endingOf, live, node, openStage, started } from './node-stage.ts';

const TRUST = 1050;

beforeEach(openStage);

describe('a verifier of version 1 at a node', () => {
  test('is told that it is stale while there is a cut of a kind that it does not know', () => {
    started();
    const got: NodeMessage[] = [];
    const older = node.publisher.join((message) => got.push(message), 1);
    const newer = node.publisher.join(() => undefined);
    const ages = (): unknown[] => got.flatMap((message) => (message.t === 'renewed' ? [message.age] : []));
    node.renew(older, 1);
    expect(older.trustsUntilMs).toBeGreaterThan(clock.monotonicMs);
    const { trustsUntilMs } = older;
    node.committed({ position: 9, ids: [], cuts: [{ key: tenantKey('acme'), ...cutAll(9) }], changed: [] });
    live(300);
    for (const feed of [older, newer]) node.renew(feed, 2);
    expect(ages().at(-1)).toBe(Number.MAX_SAFE_INTEGER);
    expect(older.trustsUntilMs).toBe(trustsUntilMs);
    expect(newer.trustsUntilMs).toBeGreaterThan(trustsUntilMs);
  });

  test('is renewed again when the last such cut is too old to matter', () => {
    started();
    const older = node.publisher.join(() => undefined, 1);
    node.committed({ position: 9, ids: [], cuts: [{ key: tenantKey('acme'), ...cutAll(9) }], changed: [] });
    node.renew(older, 1);
    expect(older.trustsUntilMs).toBe(Number.NEGATIVE_INFINITY);
    live(node.keepMs + 100);
    node.renew(older, 2);
    expect(older.trustsUntilMs).toBeGreaterThan(clock.monotonicMs);
  });
});

describe('an ending that a verifier of version 1 does not understand', () => {
  let publisher: Publisher;
  let over: Tally | null;
  let sent: NodeMessage[];
  beforeEach(() => {
    publisher = new Publisher(clock, TRUST, () => undefined);
    [over, sent] = [null, []];
  });
  const join = (version?: number) => publisher.join((message) => sent.push(message), version);
  const end = (): void => publisher.publish([endingOf(1)]);
  const wait = () =>
    publisher.waitForAll((tally) => {
      over = tally;
    });
  const cutTenant = (): void =>
    publisher.publish([
      { position: 9, ids: [], cuts: [{ key: tenantKey('acme'), ...cutAll(9) }], changed: [] },
    ]);

  test('is waited out, also when the verifier acknowledges it', () => {
    const older = join(1);
    const newer = join();
    for (const feed of [older, newer]) publisher.renew(feed, 1, 0, 0);
    end();
    cutTenant();
    end();
    wait();
    for (const feed of [older, newer]) publisher.acknowledge(feed, 3);
    expect(over).toBeNull();
    clock.pass(TRUST + 1);
    expect(over).toEqual({ acknowledged: 1, missing: 1 });
  });

  test('is followed by renewals that say how old it is, and later endings wait for it no more', () => {
    const older = join(1);
    cutTenant();
    publisher.renewStale(older, 4, 17);
    expect(sent.at(-1)).toEqual({ t: 'renewed', n: 4, age: Number.MAX_SAFE_INTEGER, seq: 1, now: 17 });
    end();
    wait();
    expect(over).toEqual({ acknowledged: 0, missing: 0 });
  });

  test('counts no more after a renewal that says how fresh it is', () => {
    const older = join(1);
    cutTenant();
    publisher.renew(older, 1, 0, 0);
    end();
    wait();
    expect(over).toBeNull();
    publisher.acknowledge(older, 2);
    expect(over).toEqual({ acknowledged: 1, missing: 0 });
  });

  test('in its snapshot does not count as acknowledged, and counts once it is renewed', () => {
    end();
    cutTenant();
    const older = join(1);
    publisher.acknowledge(older, 2);
    wait();
    expect(over).toEqual({ acknowledged: 0, missing: 0 });
    publisher.renew(older, 1, 0, 0);
    wait();
    expect(over).toEqual({ acknowledged: 1, missing: 0 });
  });
});
