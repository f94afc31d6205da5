/** A verifier that cannot know: connections cut and muted, an authority that is gone, a process that was paused. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { opened, sessionTokenLogin } from '../../server/test/http/logins.ts';
import { ISSUER, SERVICE_KEY } from '../../server/test/support.ts';
import { compileCache } from '../../server/test/services/scratch.ts';
import { openHandClock, passUntil, passWhile } from '../../server/test/services/hand-clock.ts';
import type { Verified, Verifier } from '../src/index.ts';
import { createVerifierBy } from '../src/feed-verifier.ts';
import { until } from '../../server/test/races/node.ts';
import { LEASE_MS, openStage, type Stage } from './door.ts';

let stage: Stage;
let verifier: Verifier;
let aheadMs = 0;
const clock = openHandClock();
beforeAll(async () => {
  const clients = { elsewhere: { audience: 'https://elsewhere.example' } };
  stage = await openStage(
    { CURFEW_CLIENTS: JSON.stringify(clients) },
    { now: () => new Date(clock.wallMs + aheadMs) },
    clock,
  );
});
afterAll(() => stage.close());
beforeEach(async () => {
  verifier = await stage.connect();
});
afterEach(async () => {
  stage.door.onQuestion = null;
  stage.door.onUpgrade = null;
  await stage.door.shut();
  await stage.door.open();
  await verifier.close();
});

const eventually = (what: string, yes: () => boolean | Promise<boolean>): Promise<void> =>
  passUntil(clock, what, yes);
const passing = <T>(answer: Promise<T>): Promise<T> => passWhile(clock, answer);
const byMemory = (verified: Verified): boolean => verified.ok && verified.by === 'memory';
const remembered = (credential: string, one = verifier): Promise<void> =>
  eventually('memory says yes', async () => byMemory(await one.verify(credential)));
const logOut = async (bearer: string): Promise<{ acknowledged: number; waited_out: number; ms: number }> => {
  const { status, json } = await passing(
    stage.call('POST', '/v1/logout', { bearer, body: { scope: 'this' } }),
  );
  expect([status, json.confirmed]).toEqual([200, true]);
  return json;
};
const becomes = (state: 'fresh' | 'stale', one = verifier): Promise<void> =>
  eventually(`it is ${state}`, () => one.freshness.state === state);
/** The feed is gone, the rest of the authority is there. */
const loseFeed = async (): Promise<void> => {
  stage.door.onUpgrade = (socket) => {
    socket.destroy();
    return true;
  };
  stage.door.cut();
  await becomes('stale');
};

describe('onEnded without a feed', () => {
  test.each(['an access token', 'an opaque token'])(
    'hears of a session’s end when a check of %s does',
    async (kind) => {
      const jwt = await opened(stage.call, 2);
      const credential = kind === 'an access token' ? jwt.bearer : await sessionTokenLogin(stage.call);
      const [one, other] = [
        await passing(verifier.verify(credential)),
        await passing(verifier.verify((await opened(stage.call, 2)).bearer)),
      ];
      if (!one.ok || !other.ok) throw new Error('refused');
      const told: string[] = [];
      verifier.onEnded(one.session, (why) => told.push(`one ${why}`));
      verifier.onEnded(one.session, (why) => told.push(`one again ${why}`));
      verifier.onEnded(other.session, (why) => told.push(`other ${why}`));
      await loseFeed();
      // An answer of the authority is believed for a minute.
      clock.pass(61_000);
      await logOut(credential);
      expect(told).toEqual([]);
      expect(await passing(verifier.verify(credential))).toEqual({ ok: false, reason: 'unknown' });
      expect(told).toEqual(['one ended', 'one again ended']);
      await passing(verifier.verify(credential));
      stage.door.onUpgrade = null;
      await becomes('fresh');
      expect(told).toEqual(['one ended', 'one again ended']);
    },
  );

  test.each(['pass', 'sleep'] as const)(
    'hears nothing when only the access token has expired (%s)',
    async (goes) => {
      const { bearer } = await opened(stage.call, 2);
      const verified = await passing(verifier.verify(bearer));
      if (!verified.ok) throw new Error('refused');
      const told: string[] = [];
      verifier.onEnded(verified.session, (why) => told.push(why));
      await loseFeed();
      clock[goes](301_000);
      expect(await passing(verifier.verify(bearer))).toMatchObject({ ok: false });
      expect(told).toEqual([]);
    },
  );
});

describe('the authority is gone', () => {
  test('memory answers for the lease, then every check is refused, until it is back', async () => {
    const { bearer } = await opened(stage.call, 2);
    const opaque = await sessionTokenLogin(stage.call);
    for (const one of [bearer, opaque]) expect(await verifier.verify(one)).toMatchObject({ ok: true });
    const events: string[] = [];
    verifier.on('stale', () => events.push('stale'));
    verifier.on('fresh', () => events.push('fresh'));
    const shutMs = clock.monotonicMs;
    await stage.door.shut();
    await becomes('stale');
    // Its last renewal was a quarter of a lease ago at most; a step of the clock is 25 ms.
    expect(clock.monotonicMs - shutMs).toBeGreaterThan(LEASE_MS / 2);
    expect(clock.monotonicMs - shutMs).toBeLessThanOrEqual(LEASE_MS + 25);
    for (const one of [bearer, opaque]) {
      expect(verifier.verifyNow(one)).toBeNull();
      expect(verifier.verifyNow(one, { onStale: 'refuse' })).toEqual({ ok: false, reason: 'stale' });
      expect(await verifier.verify(one)).toEqual({ ok: false, reason: 'unavailable' });
      expect(await verifier.verify(one, { onStale: 'refuse' })).toEqual({ ok: false, reason: 'stale' });
    }
    // Nothing of this kind was seen before: refused all the same.
    const unseen = (await opened(stage.call, 2)).bearer;
    expect(await verifier.verify(unseen)).toEqual({ ok: false, reason: 'unavailable' });
    expect(verifier.freshness).toMatchObject({ state: 'stale', node: null });
    expect(verifier.freshness.ageMs).toBeGreaterThanOrEqual(LEASE_MS);
    // Told at the next tick: within a quarter of the lease.
    clock.pass(LEASE_MS / 4);
    expect(events.at(-1)).toBe('stale');

    await stage.door.open();
    await becomes('fresh');
    expect(events.slice(-2)).toEqual(['stale', 'fresh']);
    // It reports changes, not states.
    expect(events.filter((one, i) => one === events[i - 1])).toEqual([]);
    for (const one of [bearer, opaque, unseen]) await remembered(one);
  });

  test('sessions that ended meanwhile are refused when it is back', async () => {
    const { bearer } = await opened(stage.call, 2);
    const verified = await verifier.verify(bearer);
    if (!verified.ok) throw new Error(verified.reason);
    const told: string[] = [];
    verifier.onEnded(verified.session, (why) => told.push(why));
    await stage.door.shut();
    await logOut(bearer);
    expect(told).toEqual([]);
    await stage.door.open();
    await becomes('fresh');
    expect(verifier.verifyNow(bearer)).toEqual({ ok: false, reason: 'ended' });
    expect(told).toEqual(['ended']);
  });
});

describe('the feed is gone', () => {
  test('every check asks the authority, which knows later endings', async () => {
    const { bearer } = await opened(stage.call, 2);
    await remembered(bearer);
    await loseFeed();
    expect(await verifier.verify(bearer)).toMatchObject({ ok: true, by: 'authority' });
    expect(await verifier.verify(bearer, { onStale: 'refuse' })).toEqual({ ok: false, reason: 'stale' });
    await logOut(bearer);
    expect(await verifier.verify(bearer)).toEqual({ ok: false, reason: 'unknown' });
  });

  test('a verifier that was never connected asks, and refuses tokens for another audience itself', async () => {
    const theirs = await opened(stage.call, 2, { client_id: 'elsewhere' });
    const ours = await opened(stage.call, 2);
    await loseFeed();
    const options = { authority: stage.door.url, serviceKey: SERVICE_KEY, audience: ISSUER };
    const young = createVerifierBy(clock, { ...options, log: () => undefined });
    try {
      expect(await young.verify(ours.bearer)).toMatchObject({ ok: true, by: 'authority' });
      const before = stage.door.asked;
      expect(await young.verify(theirs.bearer)).toEqual({ ok: false, reason: 'not_ours' });
      expect(stage.door.asked).toBe(before);
    } finally {
      await young.close();
    }
  });

  test('an answer that does not come within the lease is ignored', async () => {
    const credential = await sessionTokenLogin(stage.call);
    for (const wait of [LEASE_MS * 1.5, null]) {
      stage.door.onQuestion = (_req, _res, pass) => void (wait === null || clock.after(wait, pass));
      expect(await passing(verifier.verify(credential))).toEqual({ ok: false, reason: 'unavailable' });
    }
  });

  test('an answer that waited longer, while this process was suspended, is ignored', async () => {
    const credential = await sessionTokenLogin(stage.call);
    await loseFeed();
    stage.door.onQuestion = (_req, _res, pass) => {
      clock.monotonicMs += LEASE_MS;
      pass();
    };
    expect(await verifier.verify(credential)).toEqual({ ok: false, reason: 'unavailable' });
  });

  test('a check that began after a logout does not use an answer from before it', async () => {
    const credential = await sessionTokenLogin(stage.call);
    await loseFeed();
    const { text } = await stage.call('POST', '/oauth/introspect', {
      bearer: SERVICE_KEY,
      body: `token=${credential}`,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect(text).toContain('"active":true');
    const held = new Promise<() => void>((resolve) => {
      stage.door.onQuestion = (_req, res, pass) => {
        stage.door.onQuestion = null;
        if (stage.door.asked === before + 1) resolve(() => void res.writeHead(200).end(text));
        else pass();
      };
    });
    const before = stage.door.asked;
    const early = verifier.verify(credential);
    const release = await held;
    const { status } = await passing(stage.call('POST', '/auth/logout', { bearer: credential }));
    expect(status).toBe(200);
    const late = verifier.verify(credential);
    release();
    // The early one was under way when the session ended; either answer is right for it.
    await early;
    expect(await late).toEqual({ ok: false, reason: 'unknown' });
    expect(stage.door.asked).toBe(before + 2);
  });

  test('a short interruption that never made it stale delivers the endings in it', async () => {
    const { bearer } = await opened(stage.call, 2);
    const verified = await verifier.verify(bearer);
    if (!verified.ok) throw new Error(verified.reason);
    const told: string[] = [];
    verifier.onEnded(verified.session, (why) => told.push(why));
    stage.door.mute();
    const { status } = await stage.call('POST', '/v1/logout', {
      bearer,
      body: { scope: 'this', wait: 'none' },
    });
    expect(status).toBe(200);
    stage.door.cut();
    await eventually('it is told', () => told.length > 0);
    expect(told).toEqual(['ended']);
  });

  test('an open, silent connection is given up, and a logout waits for it no longer than the lease', async () => {
    const { bearer } = await opened(stage.call, 2);
    await remembered(bearer);
    const { feeds } = stage.door;
    stage.door.mute();
    const { ms } = await logOut(bearer);
    // Its margin is a twentieth.
    expect(ms).toBeLessThanOrEqual(LEASE_MS * 1.05 + 50);
    // The logout has been confirmed: memory must not say yes for one more check.
    expect(verifier.verifyNow(bearer)?.ok ?? false).toBe(false);
    await eventually('it connects anew', () => stage.door.feeds > feeds);
    await becomes('fresh');
    expect(verifier.verifyNow(bearer)).toEqual({ ok: false, reason: 'ended' });
  });
});

/** Another process that verifies. @returns with a way to ask it, without a word to the authority while it is stale */
async function startBackEnd(
  aheadMs = 0,
): Promise<{ child: ChildProcess; ask: (text: string) => Promise<unknown> }> {
  const args = [stage.door.url, SERVICE_KEY, ISSUER, String(aheadMs)];
  const child = fork(join(import.meta.dirname, 'back-end.ts'), args, {
    execArgv: ['--conditions=curfew-source'],
    env: { PATH: process.env['PATH'], ...compileCache() },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  expect(await once(child, 'message')).toEqual(['ready', undefined]);
  return {
    child,
    async ask(text) {
      const answer = once(child, 'message');
      child.send(text);
      return ((await answer) as [unknown])[0];
    },
  };
}

test('a process that was paused for longer than the lease does not trust its memory on waking', async () => {
  const { child, ask } = await startBackEnd();
  try {
    const { bearer } = await opened(stage.call, 2);
    await expect.poll(() => ask(bearer)).toMatchObject({ ok: true, by: 'memory' });
    child.kill('SIGSTOP');
    const pausedMs = performance.now();
    // It will hear nothing of the logout when it wakes.
    stage.door.mute();
    await logOut(bearer);
    // Its own clock is the machine's.
    await until('the lease is over', async () => performance.now() - pausedMs > LEASE_MS);
    const first = ask(bearer);
    child.kill('SIGCONT');
    expect(await first).toEqual({ ok: false, reason: 'stale' });
  } finally {
    child.kill('SIGKILL');
  }
});

test.each([3_600_000, -3_600_000])(
  'a machine whose clock is wrong by %i ms judges tokens correctly',
  async (aheadMs) => {
    const { child, ask } = await startBackEnd(aheadMs);
    try {
      const { bearer } = await opened(stage.call, 2);
      await expect.poll(() => ask(bearer)).toMatchObject({ ok: true, by: 'memory' });
    } finally {
      child.kill('SIGKILL');
    }
  },
);

test('of several addresses those that answer are used', async () => {
  // One that refuses connections, and one that accepts everything and never answers.
  const mute = createServer(() => undefined);
  await new Promise<void>((ready) => mute.listen(0, '127.0.0.1', ready));
  const { port } = mute.address() as AddressInfo;
  // The feed begins at the second, questions begin at the first.
  const random = vi.spyOn(Math, 'random').mockReturnValue(0.4);
  try {
    const one = await stage.connect({
      authority: [`http://127.0.0.1:${port}`, 'http://127.0.0.1:1', stage.door.url],
    });
    const { bearer } = await opened(stage.call, 2);
    await remembered(bearer, one);
    for (let i = 0; i < 3; i++)
      expect(await passing(one.verify(await sessionTokenLogin(stage.call)))).toMatchObject({
        ok: true,
        by: 'authority',
      });
  } finally {
    random.mockRestore();
    mute.closeAllConnections();
    mute.close();
  }
});

test('a kept connection that the other end has closed costs no answer', async () => {
  const [first, second, third] = await Promise.all([1, 2, 3].map(() => sessionTokenLogin(stage.call)));
  expect(await verifier.verify(first)).toMatchObject({ ok: true, by: 'authority' });
  const before = stage.door.asked;
  stage.door.onQuestion = (req, _res, pass) => {
    if (stage.door.asked === before + 1) req.socket.destroy();
    else pass();
  };
  expect(await verifier.verify(second)).toMatchObject({ ok: true, by: 'authority' });
  expect(stage.door.asked).toBe(before + 2);
  // But once only.
  stage.door.onQuestion = (req) => void req.socket.destroy();
  expect(await verifier.verify(third)).toEqual({ ok: false, reason: 'unavailable' });
  expect(stage.door.asked).toBe(before + 4);
});

test('an access token expires by the authority’s clock', async () => {
  const { bearer } = await opened(stage.call, 2);
  expect(await verifier.verify(bearer)).toMatchObject({ ok: true });
  try {
    aheadMs = 301_000;
    await eventually('it has run out', () => verifier.verifyNow(bearer) === null);
    await becomes('fresh');
    expect(await verifier.verify(bearer)).toEqual({ ok: false, reason: 'expired' });
    await remembered((await opened(stage.call, 2)).bearer);
  } finally {
    aheadMs = 0;
  }
});
