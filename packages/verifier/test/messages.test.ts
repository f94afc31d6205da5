/** A verifier's lines in the log of its program: each problem, once. */
import { openHandClock, passSteadily, passUntil, passWhile } from '../../server/test/services/hand-clock.ts';
import type { Verifier } from '../src/index.ts';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { opened, sessionTokenLogin } from '../../server/test/http/logins.ts';
import { ISSUER, SERVICE_KEY } from '../../server/test/support.ts';
import { createVerifierBy } from '../src/feed-verifier.ts';
import { pause } from '../../server/test/races/node.ts';
import { LEASE_MS, openStage, type Stage } from './door.ts';

let stage: Stage;
const clock = openHandClock();
beforeAll(async () => {
  stage = await openStage({}, { now: () => new Date(clock.wallMs) }, clock);
});
afterAll(() => stage.close());

const passing = <T>(answer: Promise<T>): Promise<T> => passWhile(clock, answer);
const becomes = (state: 'fresh' | 'stale', one: Verifier): Promise<void> =>
  passUntil(clock, `it is ${state}`, () => one.freshness.state === state);

test('where a host or a proxy does not pass the upgrade on, every check asks, and the log names the possible causes', async () => {
  const said: string[] = [];
  const proxy = createServer(stage.authority.listener);
  await new Promise<void>((ready) => proxy.listen(0, '127.0.0.1', ready));
  const one = createVerifierBy(clock, {
    authority: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    serviceKey: SERVICE_KEY,
    audience: ISSUER,
    log: (_level, message) => said.push(message),
  });
  try {
    const { bearer } = await opened(stage.call, 2);
    await expect
      .poll(() => said.join('\n'))
      .toMatch(/answered 426 .*host.*authority\.upgrade.*proxy.*"Upgrade".*version/);
    expect(await one.verify(bearer)).toMatchObject({ ok: true, by: 'authority' });
  } finally {
    await one.close();
    proxy.closeAllConnections();
    proxy.close();
  }
});

test('the log says once that the authority is gone, and once that it is back', async () => {
  const said: string[] = [];
  const one = createVerifierBy(clock, {
    authority: stage.door.url,
    serviceKey: SERVICE_KEY,
    audience: ISSUER,
    log: (_level, message) => said.push(message),
  });
  const times = (text: string): number => said.filter((line) => line.includes(text)).length;
  try {
    await becomes('fresh', one);
    const credentials = await Promise.all([1, 2].map(() => sessionTokenLogin(stage.call)));
    expect(said).toEqual([]);
    await stage.door.shut();
    await becomes('stale', one);
    for (const credential of credentials)
      expect(await passing(one.verify(credential))).toEqual({ ok: false, reason: 'unavailable' });
    expect(times('the authority cannot be reached')).toBe(1);
    await stage.door.open();
    await becomes('fresh', one);
    for (const credential of credentials)
      expect(await passing(one.verify(credential))).toMatchObject({ ok: true, by: 'authority' });
    // Renewed some times more.
    await passSteadily(clock, 3 * LEASE_MS);
    expect([times('the authority answers again'), times('reconnected to the authority')]).toEqual([1, 1]);
  } finally {
    await one.close();
  }
});

test('a wrong service key is refused, and logged once', async () => {
  const said: string[] = [];
  const wrong = createVerifierBy(clock, {
    authority: stage.door.url,
    serviceKey: `${SERVICE_KEY}x`,
    audience: ISSUER,
    log: (level, message) => said.push(`${level}: ${message}`),
  });
  try {
    await passUntil(clock, 'it is said', () => said.length > 0);
    await passing(pause(20));
    expect(await wrong.ready(1)).toBe(false);
    const { bearer } = await opened(stage.call, 2);
    for (const credential of [bearer, await sessionTokenLogin(stage.call)]) {
      expect(await wrong.verify(credential)).toEqual({ ok: false, reason: 'unavailable' });
      expect(await wrong.verify(credential, { onStale: 'refuse' })).toEqual({ ok: false, reason: 'stale' });
    }
    expect(said.filter((line) => line.includes('is the key live?'))).toHaveLength(1);
    expect(said.join()).not.toContain(SERVICE_KEY);
  } finally {
    await wrong.close();
  }
});
