/** `onEnded` runs at a session's end: once, and before the logout is confirmed. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newUser, opened } from '../../server/test/http/logins.ts';
import type { Verifier } from '../src/index.ts';
import { openStage, type Stage } from './door.ts';

let stage: Stage;
let verifier: Verifier;
beforeAll(async () => {
  // No test waits for its end here, and a busy machine must not lose it.
  stage = await openStage({ CURFEW_LEASE_MS: '2500' });
  verifier = await stage.connect();
});
afterAll(() => stage.close());

const logOut = async (bearer: string, body: object = {}): Promise<void> => {
  const { status, json } = await stage.call('POST', '/v1/logout', {
    bearer,
    body: { scope: 'this', ...body },
  });
  expect([status, json.confirmed]).toEqual([200, true]);
};

describe('onEnded', () => {
  const sessionOf = async (credential: string) => {
    const verified = await verifier.verify(credential);
    if (!verified.ok) throw new Error(verified.reason);
    return verified.session;
  };

  test('runs once at the session’s end, by its id or by a cut, before the logout is confirmed', async () => {
    const user = await newUser(stage.call);
    const [a, b, c] = await Promise.all([1, 2, 3].map(() => opened(stage.call, user.id)));
    const told: string[] = [];
    for (const [name, one] of Object.entries({ a, b, c })) {
      const stop = verifier.onEnded(await sessionOf(one?.bearer ?? ''), (why) => told.push(`${name} ${why}`));
      if (name === 'c') stop();
    }
    await logOut(a?.bearer ?? '');
    expect(told).toEqual(['a ended']);
    await logOut(b?.bearer ?? '', { scope: 'all' });
    expect(told).toEqual(['a ended', 'b ended']);
  });

  test('runs at once for an ended session', async () => {
    const { bearer } = await opened(stage.call, 2);
    const session = await sessionOf(bearer);
    await logOut(bearer);
    const why = await new Promise((resolve) => verifier.onEnded(session, resolve));
    expect(why).toBe('ended');
  });

  test('that throws affects nothing else', async () => {
    const { bearer } = await opened(stage.call, 2);
    verifier.onEnded(await sessionOf(bearer), () => {
      throw new Error('not ours');
    });
    let told = false;
    verifier.onEnded(await sessionOf(bearer), () => (told = true));
    await logOut(bearer);
    expect(told).toBe(true);
  });
});
