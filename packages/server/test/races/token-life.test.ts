/** Access tokens that may live longer than before: no replica forgets an ending while a token of its session lives. */
import { describe, expect, test } from 'vitest';
import { follow, type FeedNode, logIn, startNode } from '../http/following.ts';
import { openHandClock, passUntil, passWhile, timeOf } from '../services/hand-clock.ts';
import { openAuthority, reopenAuthority, routeBackend, SERVICE_KEY } from '../support.ts';

const SHORT = 300;
const LONG = 3600;
/** Longer than an ending is kept while tokens live for a short time, and shorter than a long token lives. */
const BETWEEN_MS = 1_800_000;
const KEEP_MORE_MS = 60_000;

describe('the life of access tokens', () => {
  const clock = openHandClock();
  const system = { system: timeOf(clock) };
  const eventually = (what: string, yes: () => boolean | Promise<boolean>) => passUntil(clock, what, yes);

  const live = async ({ on }: FeedNode, access_token_seconds: number): Promise<void> => {
    const body = { access_token_seconds };
    const changing = on.call('PATCH', '/v1/admin/clients/default', { bearer: SERVICE_KEY, body });
    expect((await passWhile(clock, changing)).status).toBe(200);
  };
  const logOut = async ({ on }: FeedNode, bearer: string): Promise<void> => {
    expect((await passWhile(clock, on.call('POST', '/v1/logout', { bearer }))).status).toBe(200);
  };
  const following = async (node: FeedNode) => {
    const verifier = follow(node.url, clock);
    await eventually('the verifier is fresh', () => verifier.subscriber.isFresh());
    return verifier;
  };
  const terms = ({ subscriber }: Awaited<ReturnType<typeof following>>) => [
    subscriber.terms?.tokenLife,
    subscriber.terms?.keep,
  ];
  /** Old entries are dropped when something is added. */
  async function later(node: FeedNode): Promise<void> {
    clock.pass(BETWEEN_MS);
    await logOut(node, (await passWhile(clock, logIn(node.on))).bearer);
  }

  test('verifiers get the new terms over a new connection, and keep the endings of long tokens', async () => {
    const node = await startNode(await openAuthority(routeBackend(), {}, system), { clock });
    const before = await following(node);
    expect(terms(before)).toEqual([SHORT * 1000, SHORT * 1000 + KEEP_MORE_MS]);
    await live(node, LONG);
    await eventually('the feed is closed', () => before.ws.readyState === before.ws.CLOSED);
    const after = await following(node);
    expect(terms(after)).toEqual([LONG * 1000, LONG * 1000 + KEEP_MORE_MS]);
    const { seen, bearer } = await passWhile(clock, logIn(node.on));
    await logOut(node, bearer);
    await later(node);
    expect(after.subscriber.judge(seen)).toBe('ended');
    // One that connects now gets the ending from the node.
    expect((await following(node)).subscriber.judge(seen)).toBe('ended');
  });

  test('a shorter life tells nobody, because longer tokens live on', async () => {
    const settings = {
      CURFEW_ACCESS_TOKEN_SECONDS: '60',
      CURFEW_CLIENTS: JSON.stringify({ default: { accessTokenSeconds: SHORT } }),
    };
    const node = await startNode(await openAuthority(routeBackend(), settings, system), { clock });
    const verifier = await following(node);
    await live(node, 60);
    expect(terms(await following(node))[0]).toBe(SHORT * 1000);
    expect(verifier.ws.readyState).toBe(verifier.ws.OPEN);
  });

  test('verifiers get the audience of a new application over a new connection', async () => {
    const node = await startNode(await openAuthority(routeBackend(), {}, system), { clock });
    const before = await following(node);
    const body = { client_id: 'shop', audience: 'https://shop.example' };
    await passWhile(clock, node.on.call('POST', '/v1/admin/clients', { bearer: SERVICE_KEY, body }));
    await eventually('the feed is closed', () => before.ws.readyState === before.ws.CLOSED);
    expect((await following(node)).subscriber.terms?.audiences).toContain('https://shop.example');
  });

  test('verifiers whose applications change audiences get theirs over a new connection', async () => {
    const settings = {
      CURFEW_CLIENTS: JSON.stringify({
        shop: { audience: 'https://a.example' },
        blog: { audience: 'https://a.example' },
        wiki: { audience: 'https://b.example' },
      }),
    };
    const node = await startNode(await openAuthority(routeBackend(), settings, system), { clock });
    const before = await following(node);
    const body = { audience: 'https://b.example' };
    await passWhile(clock, node.on.call('PATCH', '/v1/admin/clients/shop', { bearer: SERVICE_KEY, body }));
    await eventually('the feed is closed', () => before.ws.readyState === before.ws.CLOSED);
  });

  test('a life that was long before: the node reads the log again before it is trusted', async () => {
    const settings = { CURFEW_CLIENTS: JSON.stringify({ default: { accessTokenSeconds: LONG } }) };
    const first = await startNode(await openAuthority(routeBackend(), settings, system), { clock });
    const { seen, bearer } = await passWhile(clock, logIn(first.on));
    await logOut(first, bearer);
    await live(first, SHORT);
    await first.close();
    clock.pass(BETWEEN_MS);
    // It does not read the ending, which no token of the current life needs.
    const reopened = await passWhile(clock, reopenAuthority(first.on.settings, system));
    const node = await startNode(reopened, { clock });
    const before = await following(node);
    expect([...terms(before).slice(0, 1), before.subscriber.judge(seen)]).toEqual([SHORT * 1000, 'alive']);
    await live(node, LONG);
    const after = await following(node);
    expect([...terms(after).slice(0, 1), after.subscriber.judge(seen)]).toEqual([LONG * 1000, 'ended']);
  });
});
