/** The cuts of the store against the algebra of the protocol: the rows that are written, and the view that reads them. */
import {
  type Cut,
  cutAll,
  cutOthers,
  isCut,
  keysOf,
  loginOf,
  loginSidOf,
  mergeCuts,
  type SessionFacts,
} from '@curfew/protocol/cuts';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/store/database.ts';
import { markEnded } from '../../src/store/marking.ts';
import { type CutTarget, cut, keysOfTarget } from '../../src/store/revoke-scope.ts';
import type { Act } from '../../src/store/act.ts';
import type { Queryable } from '../../src/store/statement.ts';
import { backends, openStore } from '../support.ts';

const ACT: Act = {
  at: new Date(),
  actor: 'operator',
  contract: 'v1',
  ipAddress: null,
  userAgent: '',
  requestId: null,
};

const sidOf = (n: number): string => `019a9f2c-5f6e-7c3a-9d52-00000000000${n}`;
const users = [1, 2];
const clients = ['shop', 'app'];
const devices = ['phone', '1:phone'];
const tenants = ['default', 'acme'];

const target: fc.Arbitrary<CutTarget> = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom(...users).map((userId) => ({ scope: 'user' as const, userId })) },
  {
    weight: 6,
    arbitrary: fc
      .tuple(fc.constantFrom(...users), fc.integer({ min: 0, max: 5 }))
      .map(([userId, n]) => ({ scope: 'others' as const, userId, exceptSession: sidOf(n) })),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(...users), fc.constantFrom(...devices))
      .map(([userId, deviceId]) => ({ scope: 'device' as const, userId, deviceId })),
  },
  { weight: 1, arbitrary: fc.constant({ scope: 'users' as const, userIds: users }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...clients).map((clientId) => ({ scope: 'client' as const, clientId })),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(...users), fc.constantFrom(...clients))
      .map(([userId, clientId]) => ({ scope: 'grant' as const, userId, clientId })),
  },
  {
    weight: 3,
    arbitrary: fc.integer({ min: 0, max: 5 }).map((n) => ({ scope: 'login' as const, login: sidOf(n) })),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...tenants).map((tenant) => ({ scope: 'tenant' as const, tenant })),
  },
  { weight: 1, arbitrary: fc.constant({ scope: 'everyone' as const }) },
);

interface Run {
  /** Cuts, each with the position it was decided at, in the order in which they commit. */
  cuts: { target: CutTarget; position: number }[];
  sessions: (SessionFacts & { userId: number })[];
  /** A login that had expired before, which spared the sessions begun through it. */
  expired: string | null;
}

type Drawn = Omit<Run['sessions'][number], 'subject' | 'login' | 'sid' | 'born'> & { login: string | null };

/** The first three are logins; the others may be begun through an older one of the same user and device. */
function withLogins(facts: Drawn[], positions: number[]): Run['sessions'] {
  return facts.map((one, i) => {
    const born = positions[i] ?? 0;
    const n = facts.findIndex(
      (login, at) => at < 3 && sidOf(at) === one.login && login.userId === one.userId,
    );
    const login = facts[n];
    const loginBorn = positions[n] ?? 0;
    const has = i >= 3 && login !== undefined && loginBorn < born;
    return {
      ...one,
      deviceId: has ? login.deviceId : one.deviceId,
      tenant: has ? login.tenant : one.tenant,
      subject: String(one.userId),
      login: has ? { sid: sidOf(n), born: loginBorn, clientId: login.clientId } : null,
      sid: sidOf(i),
      born,
    };
  });
}

/** Positions are drawn before transactions commit: any order is possible, and two never have the same. */
const run: fc.Arbitrary<Run> = fc
  .tuple(
    fc.array(target, { minLength: 1, maxLength: 8 }),
    fc.array(
      fc.record({
        userId: fc.constantFrom(...users),
        clientId: fc.constantFrom(...clients),
        deviceId: fc.constantFrom(...devices),
        login: fc.option(fc.integer({ min: 0, max: 2 }).map(sidOf), { nil: null }),
        tenant: fc.constantFrom(...tenants),
      }),
      { minLength: 6, maxLength: 6 },
    ),
  )
  .chain(([targets, facts]) =>
    fc
      .shuffledSubarray(
        Array.from({ length: targets.length + facts.length }, (_, i) => i + 1),
        { minLength: targets.length + facts.length },
      )
      .chain((positions) =>
        fc
          .option(fc.integer({ min: 0, max: 2 }).map(sidOf), { nil: null })
          .map((expired) => ({ positions, expired })),
      )
      .map(({ positions, expired }) => ({
        expired,
        cuts: targets.map((one, i) => ({ target: one, position: positions[i] ?? 0 })),
        sessions: withLogins(facts, positions.slice(targets.length)),
      })),
  );

/** A cut spares the login of the session that it names. */
function cutOf({ target: one, position }: Run['cuts'][number], sessions: Run['sessions']): Cut {
  if (one.scope !== 'others') return cutAll(position);
  const spared = sessions.find(({ sid }) => sid === one.exceptSession);
  return cutOthers(position, spared ? loginSidOf(spared) : one.exceptSession);
}

/** The expected rows: the protocol's merges, in the order of commits. */
function merged(cuts: Run['cuts'], sessions: Run['sessions']): Map<string, Cut> {
  const byKey = new Map<string, Cut>();
  for (const one of cuts)
    for (const key of keysOfTarget(one.target)) {
      const there = byKey.get(key);
      byKey.set(key, there ? mergeCuts(there, cutOf(one, sessions)) : cutOf(one, sessions));
    }
  return byKey;
}

describe.each(backends())('cuts, %s', (backend) => {
  let database: Database;
  beforeAll(async () => {
    database = await openStore(backend);
    await database.query({
      text: `insert into users (id, email, created_at) select n, 'user-' || n, now() from unnest($1::bigint[]) as n`,
      values: [users],
    });
    await database.query({ text: 'create table decided_at as select 0::bigint as position', values: [] });
  });
  afterAll(() => database.close());

  async function start(on: Queryable, sessions: Run['sessions']): Promise<void> {
    await on.query({
      text: `with a as (delete from cuts), b as (delete from events) delete from user_sessions`,
      values: [],
    });
    await on.query({
      text: `insert into user_sessions (id, user_id, client_id, device_id, contract, born, created_at, last_seen_at,
          idle_seconds, idle_expires_at, expires_at, login, tenant, login_born, login_client, has_children)
        select s.id, s.user_id, s.client_id, s.device_id, 'v1', s.born, now(), now(), 3600, now() + interval '1 day', now() + interval '1 day',
          s.login, s.tenant, s.login_born, s.login_client, coalesce(s.id = any($6), false)
        from unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::uuid[], $7::text[],
          $8::bigint[], $9::text[]) as s (id, user_id, client_id, device_id, born, login, tenant, login_born, login_client)`,
      values: [
        sessions.map((one) => one.sid),
        sessions.map((one) => one.userId),
        sessions.map((one) => one.clientId),
        sessions.map((one) => one.deviceId),
        sessions.map((one) => one.born),
        sessions.map((one) => one.login?.sid ?? null),
        sessions.map((one) => one.tenant),
        sessions.map((one) => one.login?.born ?? null),
        sessions.map((one) => one.login?.clientId ?? null),
      ],
    });
  }

  /** The statement of the program, with a position that the test has drawn; its text stays the same, so that it is planned once. */
  const decidedAt = async (on: Queryable, position: number): Promise<Queryable> => {
    await on.query({ name: 'decide_at', text: 'update decided_at set position = $1', values: [position] });
    return {
      query: ({ name, text, values }) => {
        const placed = text.replace(
          /select (next_cut|cut_for_all_nodes)\(\) as/,
          'select (select position from decided_at) as',
        );
        if (placed === text) throw new Error('the statement draws its position in another way');
        return on.query({ name: `decided_${name}`, text: placed, values });
      },
    };
  };

  test('rows and view agree with the protocol’s cuts, in whatever order they commit', async () => {
    await fc.assert(
      fc.asyncProperty(run, async ({ cuts, sessions, expired }) => {
        await start(database, sessions);
        await database.query({
          text: `update user_sessions set is_active = false, ended_reason = 'idle_timeout' where id = $1::uuid`,
          values: [expired],
        });
        for (const one of cuts) {
          const { event } = await cut(await decidedAt(database, one.position), one.target, ACT, 'logout');
          // The rows of a tenant are left to the marker, and those that nothing but the expired login would lead to at once.
          if (one.target.scope === 'tenant' || expired !== null) await markEnded(database, [event], 50);
        }

        const expected = merged(cuts, sessions);
        const rows = await database.query({
          text: 'select key, position, base, except_session from cuts',
          values: [],
        });
        expect(
          new Map(
            rows.rows.map(({ key, except_session, ...row }) => [
              key,
              { ...row, exceptSession: except_session },
            ]),
          ),
        ).toEqual(expected);

        const isOverBy = (those: Map<string, Cut>, one: SessionFacts | null): boolean =>
          one !== null &&
          (keysOf(one).some((key) => isCut(those.get(key) ?? cutAll(0), one)) ||
            isOverBy(those, loginOf(one)));
        const isOver = (one: SessionFacts): boolean => isOverBy(expected, one);
        const open = async (): Promise<string[]> =>
          (await database.query({ text: 'select id from open_sessions order by id', values: [] })).rows.map(
            (row: { id: string }) => row.id,
          );
        const living = sessions.filter((one) => !isOver(one) && one.sid !== expired).map((one) => one.sid);
        expect(await open()).toEqual(living);
        // Rows were marked as well, and never one that lives.
        const active = await database.query({
          text: 'select id from user_sessions where is_active order by id',
          values: [],
        });
        expect(active.rows.map((row: { id: string }) => row.id)).toEqual(living);
        // The view agrees by the cuts alone, as it must where rows are too many to be marked.
        await database.query({
          text: 'update user_sessions set is_active = id is distinct from $1::uuid',
          values: [expired],
        });
        expect(await open()).toEqual(living);
        // And the other way round the order of the cuts does not matter to the sessions.
        const turned = merged([...cuts].reverse(), sessions);
        for (const one of sessions) expect(isOverBy(turned, one)).toBe(isOver(one));
      }),
      { numRuns: backend === 'postgres' ? 300 : 60 },
    );
  });
});
