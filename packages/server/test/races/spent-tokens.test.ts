/** Rows of spent refresh tokens: few, however long a session lives, and each spent token still ends its session. */
import { createHmac, hash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hashSecret, lineageOf } from '../../src/domain/credentials.ts';
import { type Answer, backends } from '../support.ts';
import { type Node, openNode, openPlace, type Place } from './node.ts';

const FAMILIES = {
  v1: { login: '/v1/login', refresh: '/v1/refresh', of: (answer: Answer) => answer.json },
  '001': { login: '/auth/login', refresh: '/auth/refresh', of: (answer: Answer) => answer.json['data'] },
  '003': {
    login: '/api/v1/auth/login',
    refresh: '/api/v1/auth/refresh',
    of: (answer: Answer) => answer.json,
  },
} as const;
type Family = keyof typeof FAMILIES;
const families = Object.keys(FAMILIES) as Family[];

/** Between two refreshes of a client with access tokens of a quarter of an hour. */
const STEP = 900;

describe.each(backends())('spent refresh tokens of a long session, %s', (backend) => {
  let on: Place;
  beforeAll(async () => {
    on = await openPlace(backend);
  });
  afterAll(() => on.close());

  const refresh = (
    token: string | undefined,
    family: Family = 'v1',
    node: Node = on.at(0),
  ): Promise<Answer> => node.call('POST', FAMILIES[family].refresh, { body: { refresh_token: token } });
  const given = (answer: Answer, family: Family): string => {
    expect(answer.status).toBe(200);
    return String((FAMILIES[family].of(answer) as { refresh_token: string }).refresh_token);
  };

  /** A session that was refreshed so often: its tokens, from the first on. */
  async function lived(
    times: number,
    family: Family = 'v1',
    stepSeconds = STEP,
  ): Promise<{ userId: number; tokens: string[] }> {
    const user = await on.user();
    const login = await on.at(0).call('POST', FAMILIES[family].login, {
      body: { email: user.email, password: 'secret' },
    });
    const tokens = [given(login, family)];
    for (let i = 0; i < times; i++) {
      on.clock.advance(stepSeconds);
      tokens.push(given(await refresh(tokens.at(-1), family, on.at(i)), family));
    }
    return { userId: user.id, tokens };
  }

  const rowsOf = async (userId: number, kind: string): Promise<number> => {
    const [row] = await on.rows<{ count: number }>(
      `select count(*) as count from tokens t join user_sessions s on s.id = t.session_id
       where s.user_id = $1 and t.kind = $2`,
      userId,
      kind,
    );
    return row?.count ?? 0;
  };
  const stored = async (token: string | undefined): Promise<boolean> =>
    (await on.rows('select 1 from tokens where hash = $1', hashSecret(token ?? ''))).length > 0;
  const reasons = async (userId: number): Promise<unknown[]> =>
    (
      await on.rows<{ reason: string }>(
        `select reason from events where type = 'sessions_ended' and user_id = $1 order by position`,
        userId,
      )
    ).map(({ reason }) => reason);

  test.each(families)(
    'many refreshes leave a few rows, and an early token ends the session: %s',
    async (family) => {
      const { userId, tokens } = await lived(family === 'v1' ? 200 : 40, family);
      expect(await rowsOf(userId, 'refresh')).toBeLessThanOrEqual(11);
      expect(await rowsOf(userId, 'access')).toBeLessThanOrEqual(family === '003' ? 13 : 0);
      expect(await stored(tokens[3])).toBe(false);
      for (const node of on.nodes) node.lines.length = 0;
      const replay = await refresh(tokens[3], family, on.at(1));
      expect(replay.status).toBe(401);
      if (family === 'v1') expect(replay.json['ended']).toMatchObject({ reason: 'refresh_replay' });
      expect(await reasons(userId)).toEqual(['refresh_replay']);
      expect(on.nodes.flatMap((node) => node.lines).some((line) => line.includes('was used again'))).toBe(
        true,
      );
      expect((await refresh(tokens.at(-1), family)).status).toBe(401);
      // It says how its session ended, also later.
      const later = await refresh(tokens[4], 'v1');
      expect([later.status, later.json['ended']]).toEqual([
        401,
        expect.objectContaining({ reason: 'refresh_replay' }),
      ]);
    },
  );

  test.each([0, 1, 16, 33, 39])(
    'each of forty tokens ends its session, with or without a row: %i',
    async (i) => {
      const { userId, tokens } = await lived(40, 'v1', 30);
      on.clock.advance(11);
      expect((await refresh(tokens[i], 'v1', on.at(i))).status).toBe(401);
      expect(await reasons(userId)).toEqual(['refresh_replay']);
    },
  );

  test('another application’s use of a token without a row is a replay', async () => {
    const { userId, tokens } = await lived(20);
    const body = { refresh_token: tokens[3], client_id: 'envelope' };
    expect((await on.at(0).call('POST', '/v1/refresh', { body })).status).toBe(401);
    expect(await reasons(userId)).toEqual(['refresh_replay']);
  });

  test('a token that was never issued is refused, and ends nothing', async () => {
    const [one, other] = [await lived(20), await lived(20)];
    const bytes = (token: string | undefined): Buffer => Buffer.from((token ?? '').slice(3), 'base64url');
    const token = (of: Buffer): string => `rt_${of.toString('base64url')}`;
    const early = bytes(one.tokens[3]);
    /** With a valid check, for an attacker who knows the family. */
    const checked = (of: Buffer): string => {
      const [head, family] = [of.subarray(0, 14), of.subarray(16)];
      const check = hash(
        'sha256',
        Buffer.concat([Buffer.from('curfew refresh family'), family, head]),
        'buffer',
      );
      return token(Buffer.concat([head, check.subarray(0, 2), family]));
    };
    expect(checked(early)).toBe(one.tokens[3]);
    const changed = (at: number, to: Buffer): Buffer =>
      Buffer.concat([early.subarray(0, at), to, early.subarray(at + to.length)]);
    const generation = (n: number): Buffer => changed(0, Buffer.from([0, n >> 8, n & 255]));
    const madeUp = [
      // Each byte altered: generation, secret, check, family.
      ...Array.from(early, (byte, at) => token(changed(at, Buffer.from([byte ^ 1])))),
      token(Buffer.concat([early.subarray(0, 16), bytes(other.tokens[3]).subarray(16)])),
      token(Buffer.concat([bytes(other.tokens[3]).subarray(0, 16), early.subarray(16)])),
      // An unknown family, and one derived from the session's public data.
      checked(changed(16, Buffer.alloc(16, 7))),
      checked(changed(16, Buffer.from(await sidOf(one.userId), 'hex'))),
      // Of a generation that there is not yet, as after the database went back, or that was another.
      ...[20, 21, 40, 65_000].map((n) => checked(generation(n))),
    ];
    for (const text of madeUp) {
      const answer = await refresh(text);
      expect([text, answer.status, answer.json['ended']]).toEqual([text, 401, undefined]);
    }
    expect([await reasons(one.userId), await reasons(other.userId)]).toEqual([[], []]);
    for (const { tokens } of [one, other]) given(await refresh(tokens.at(-1)), 'v1');
  });

  const sidOf = async (userId: number): Promise<string> =>
    (
      await on.rows<{ sid: string }>(
        `select replace(id::text, '-', '') as sid from user_sessions where user_id = $1`,
        userId,
      )
    )[0]?.sid ?? '';

  test('a token without a row, of a session that was logged out, is refused with the reason', async () => {
    const { userId, tokens } = await lived(20);
    const last = await refresh(tokens.at(-1));
    await on.at(0).call('POST', '/v1/logout', { bearer: String(last.json['access_token']) });
    const answer = await refresh(tokens[3]);
    expect([answer.status, answer.json['ended']]).toEqual([
      401,
      expect.objectContaining({ reason: 'logout' }),
    ]);
    expect(await reasons(userId)).toEqual(['logout']);
  });

  test('rows that the grace needs are never purged: many tabs on two nodes stay in one family', async () => {
    const { userId, tokens } = await lived(8);
    let last = tokens.at(-1);
    for (let step = 0; step < 12; step++) {
      on.clock.advance(1);
      const answers = await Promise.all(Array.from({ length: 4 }, (_, i) => refresh(last, 'v1', on.at(i))));
      const successors = new Set(answers.map((answer) => given(answer, 'v1')));
      expect(successors.size).toBe(1);
      // A slow tab asks with a token that was spent a moment ago.
      expect(given(await refresh(last, 'v1', on.at(step)), 'v1')).toBe([...successors][0]);
      tokens.push((last = [...successors][0] ?? ''));
    }
    // The rows of before the burst are gone, and those of the last minute are not.
    expect(await stored(tokens[1])).toBe(false);
    for (const token of tokens.slice(-12)) expect(await stored(token)).toBe(true);
    expect(await reasons(userId)).toEqual([]);
  });

  test('tokens of an earlier version keep their rows and behaviour; so does a family that such a node continued', async () => {
    const { userId, tokens } = await lived(0);
    const old = `rt_${Buffer.alloc(32, userId).toString('base64url')}`;
    await on.rows(
      'update tokens set hash = $2 where hash = $1',
      hashSecret(tokens[0] ?? ''),
      hashSecret(old),
    );
    const line = [old];
    for (let i = 0; i < 20; i++) {
      on.clock.advance(STEP);
      line.push(given(await refresh(line.at(-1), 'v1', on.at(i)), 'v1'));
    }
    expect(line.map(lineageOf)).toEqual(line.map(() => null));
    expect(await rowsOf(userId, 'refresh')).toBe(21);
    expect((await refresh(line[3])).status).toBe(401);
    expect(await reasons(userId)).toEqual(['refresh_replay']);

    // An earlier version spends a new token within the grace: its nonce is longer, and its successor names no family.
    const mixed = await lived(3);
    const spent = mixed.tokens.at(-1) ?? '';
    const nonce = Buffer.alloc(32, 5);
    const theirs = `rt_${createHmac('sha256', spent).update('curfew refresh successor').update(nonce).digest('base64url')}`;
    const spentNow = [hashSecret(spent), on.clock.now(), nonce];
    await on.rows('update tokens set spent_at = $2, successor_nonce = $3 where hash = $1', ...spentNow);
    await on.rows(
      `insert into tokens (hash, session_id, kind, created_at, expires_at)
       select $2, session_id, kind, created_at, expires_at from tokens where hash = $1`,
      hashSecret(spent),
      hashSecret(theirs),
    );
    expect(given(await refresh(spent), 'v1')).toBe(theirs);
    given(await refresh(theirs), 'v1');
  });

  test.skipIf(backend === 'embedded')('a node with another CURFEW_KEY gives the same successor', async () => {
    const place = await openPlace('postgres', { CURFEW_KEY: 'the first key of these tests 0123' });
    const changed = await openNode(
      {
        ...place.settings,
        CURFEW_KEY: 'the second key of these tests 456',
        CURFEW_KEY_PREVIOUS: 'the first key of these tests 0123',
      },
      { now: place.clock.now },
    );
    try {
      const { email } = await place.user();
      const login = await place.at(0).call('POST', '/v1/login', { body: { email, password: 'secret' } });
      const first = given(login, 'v1');
      const tokens = [first];
      for (let i = 0; i < 20; i++) {
        place.clock.advance(STEP);
        const nodes = i % 2 === 0 ? [place.at(0), changed] : [changed, place.at(0)];
        const [a, b] = [
          await refresh(tokens.at(-1), 'v1', nodes[0]),
          await refresh(tokens.at(-1), 'v1', nodes[1]),
        ];
        expect(given(b, 'v1')).toBe(given(a, 'v1'));
        tokens.push(given(a, 'v1'));
      }
      const replay = await refresh(tokens[3], 'v1', changed);
      expect(replay.json['ended']).toMatchObject({ reason: 'refresh_replay' });
    } finally {
      await changed.close();
      await place.close();
    }
  });
});
