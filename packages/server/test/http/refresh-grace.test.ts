/** The grace of a spent refresh token: for tabs and lost answers, not for a thief. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, openAuthority, recordingLog, routeBackend, type TestAuthority } from '../support.ts';
import { described } from './described.ts';
import { alive, opened, type OpenSession } from './logins.ts';

describe('the refresh grace', () => {
  let on: TestAuthority;
  let ahead = 0;
  const { log, lines } = recordingLog();
  beforeAll(async () => {
    on = await openAuthority(
      routeBackend(),
      {},
      { log, system: { now: () => new Date(Date.now() + ahead * 1000) } },
    );
  });
  afterAll(() => on.close());

  const HOME = { address: '192.0.2.1', agent: 'Firefox' };
  const refresh = (
    session: OpenSession,
    from: { address: string; agent: string } = HOME,
    more: object = {},
  ): Promise<Answer> =>
    described(on.call)('POST', '/v1/refresh', {
      body: { refresh_token: session.refresh, ...more },
      address: from.address,
      headers: { 'user-agent': from.agent },
    });
  const logged = (sid: string): string[] =>
    lines.filter((line) => line.includes(sid) && line.includes('spent refresh token'));

  test('returns the successor again to a caller with another address or another user agent, and logs each use', async () => {
    const session = await opened(on.call, 2);
    const first = await refresh(session);
    expect(first.status).toBe(200);
    for (const from of [HOME, { ...HOME, address: '2001:db8::7' }, { ...HOME, agent: 'Firefox 2' }]) {
      const again = await refresh(session, from);
      expect([again.status, again.json['refresh_token']]).toEqual([200, first.json['refresh_token']]);
    }
    expect(logged(session.sid)).toEqual(
      Array(3).fill(expect.stringContaining('answered with its successor again')),
    );
  });

  test('returns nothing to a caller that differs in both, at no cost to the owner', async () => {
    const session = await opened(on.call, 2);
    const first = await refresh(session);
    const thief = await refresh(session, { address: '203.0.113.9', agent: 'curl' });
    expect([thief.status, thief.json['ended']]).toEqual([401, undefined]);
    expect(logged(session.sid)[0]).toContain('the address and the user agent differ');
    expect(await alive(on.call, [session])).toEqual([true]);
    const next = { ...session, refresh: String(first.json['refresh_token']) };
    expect((await refresh(next, { ...HOME, agent: 'Firefox 2' })).status).toBe(200);
  });

  test('when a thief spends the token first, the owner’s later use ends the session', async () => {
    const session = await opened(on.call, 2);
    expect((await refresh(session, { address: '203.0.113.9', agent: 'curl' })).status).toBe(200);
    expect((await refresh(session)).status).toBe(401);
    ahead += 11;
    expect((await refresh(session)).status).toBe(401);
    expect(await alive(on.call, [session])).toEqual([false]);
  });

  test('treats addresses of one IPv6 network as one', async () => {
    const session = await opened(on.call, 2);
    expect((await refresh(session, { address: '2001:db8:5::1', agent: 'a' })).status).toBe(200);
    expect((await refresh(session, { address: '2001:db8:5::2', agent: 'b' })).status).toBe(200);
    expect((await refresh(session, { address: '2001:db8:5:1::2', agent: 'b' })).status).toBe(401);
  });

  test('bounds the uses; one too many ends nothing', async () => {
    const session = await opened(on.call, 2);
    expect((await refresh(session)).status).toBe(200);
    const statuses: number[] = [];
    for (let i = 0; i < 102; i++) statuses.push((await refresh(session)).status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(100);
    expect(statuses.slice(100)).toEqual([401, 401]);
    expect(logged(session.sid).slice(100)).toEqual(Array(2).fill(expect.stringContaining('too many uses')));
    expect(await alive(on.call, [session])).toEqual([true]);
  });

  test('treats a use by another application as a replay', async () => {
    for (const spentBefore of [true, false]) {
      const session = await opened(on.call, 2);
      expect((await refresh(session, HOME, { client_id: 'default' })).status).toBe(200);
      if (!spentBefore) session.refresh = (await opened(on.call, 2)).refresh;
      const answer = await refresh(session, HOME, { client_id: 'envelope' });
      expect([answer.status, answer.json['ended']]).toEqual([
        401,
        expect.objectContaining({ reason: 'refresh_replay' }),
      ]);
    }
  });

  test('activity is shown to the minute, and never before the session began', async () => {
    const session = await opened(on.call, 2);
    const owner = await opened(on.call, 2);
    const shown = async (bearer = session.bearer): Promise<string[]> => {
      const { json: list } = await on.call('GET', '/v1/sessions', { bearer: owner.bearer });
      const { json: own } = await on.call('GET', '/v1/session', { bearer });
      const view = list.sessions.find((one: { id: string }) => one.id === session.sid);
      expect(own.session.created_at).toBe(view.created_at);
      return [view.created_at, view.last_seen_at, view.idle_expires_at, own.session.idle_expires_at];
    };
    const week = (from = ''): string => new Date(Date.parse(from) + 604_800_000).toISOString();
    const [created, ...atFirst] = await shown();
    expect(atFirst).toEqual([created, week(created), week(created)]);
    ahead += 61;
    const { json } = await refresh(session);
    for (const at of (await shown(String(json['access_token']))).slice(1))
      expect(at).toMatch(/T\d\d:\d\d:00\.000Z$/);
  });
});
