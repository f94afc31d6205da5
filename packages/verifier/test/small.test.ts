/** The parts that can be looked at alone. */
import { cutAll, cutOthers } from '@curfew/protocol/cuts';
import { credentialKind } from '@curfew/protocol/reading/credential-kind';
import { watch } from '@curfew/protocol/replica';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { newSecret, parseBearer, parseOpaque } from '../../server/src/domain/credentials.ts';
import { Activity } from '../src/activity.ts';
import { DeadCredentials } from '../src/dead-credentials.ts';
import { EndedWatches } from '../src/ended-watch.ts';
import { Flights } from '../src/flights.ts';
import { createVerifier, type Refused, type Verified } from '../src/index.ts';
import { metricsText } from '../src/metrics.ts';
import { readOptions } from '../src/options.ts';

test('dead credentials are bounded, the oldest go first, and each expires', () => {
  const dead = new DeadCredentials(3);
  for (const [text, at] of [
    ['a', 0],
    ['b', 100],
    ['c', 200],
    ['a', 300],
    ['d', 300],
  ] as const)
    dead.add(text, at);
  expect(dead.size).toBe(3);
  expect(['a', 'b', 'c', 'd'].map((text) => dead.has(text, 300))).toEqual([true, false, true, true]);
  expect(['a', 'c', 'd'].map((text) => dead.has(text, 1250))).toEqual([true, false, true]);
  dead.add('e', 60_000);
  expect([dead.size, dead.has('e', 60_001)]).toEqual([1, true]);
  dead.forget();
  expect([dead.size, dead.has('e', 60_001)]).toEqual([0, false]);
});

describe('options', () => {
  const good = { authority: 'https://auth.example', serviceKey: 'key', audience: 'api' };
  test.each([
    ['authority', { authority: [] }],
    ['authority', { authority: 'auth.example' }],
    ['authority', { authority: 'ftp://auth.example' }],
    ['authority', { authority: 'https://me:secret@auth.example' }],
    ['authority', { authority: 'https://:secret@auth.example' }],
    ['authority', { authority: 'https://me@auth.example' }],
    ['serviceKey', { serviceKey: '' }],
    ['serviceKey', { serviceKey: 'a\r\nb' }],
    ['audience', { audience: '' }],
    ['audience', { audience: [] }],
    ['capacity', { capacity: 0 }],
    ['onStale', { onStale: 'trust' as 'ask' }],
  ])('%s: %o is refused with a sentence', (name, bad) => {
    expect(() => createVerifier({ ...good, ...bad })).toThrow(name);
    expect(() => createVerifier({ ...good, ...bad })).not.toThrow('secret');
  });

  test('the cookie has the name that the authority’s scheme allows, until the authority says its name', () => {
    expect(readOptions(good).cookieName).toBe('__Host-curfew_session');
    expect(readOptions({ ...good, authority: 'http://localhost:1' }).cookieName).toBe('curfew_session');
  });

  test('without a log, warnings and errors go to the console', () => {
    const said = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    onTestFinished(() => said.mockRestore());
    const { log } = readOptions(good);
    log('info', 'connected');
    log('warn', 'lost', { why: 'x' });
    log('error', 'failed');
    expect(said.mock.calls).toEqual([
      ['curfew verifier: lost', { why: 'x' }],
      ['curfew verifier: failed', ''],
    ]);
  });

  test('a key that would travel unencrypted is warned about', () => {
    const said: string[] = [];
    const log = (_level: string, message: string): unknown => said.push(message);
    for (const authority of [
      'https://auth.example',
      'http://127.0.0.1:8000',
      'http://localhost',
      'http://[::1]:1',
    ])
      readOptions({ ...good, authority, log });
    expect(said).toEqual([]);
    readOptions({ ...good, authority: 'http://auth.example', log });
    expect(said).toHaveLength(1);
  });
});

test('credentials have the shapes that the authority issues and accepts', () => {
  const random = (length: number): Buffer => Buffer.from(crypto.getRandomValues(new Uint8Array(length)));
  for (const kind of ['session', 'cookie', 'refresh'] as const) {
    const text = newSecret(kind, random);
    expect(credentialKind(text)).toBe(kind);
  }
  expect(credentialKind(`12|${newSecret('access', random)}`)).toBe('access');
  const secret = fc.stringMatching(/^[A-Za-z0-9_-]{42}[A-Za-z0-9_|-]{1,2}$/);
  const prefix = fc.constantFrom(
    'sess_',
    'cs_',
    'rt_',
    '1|',
    '0|',
    '9999999999999999|',
    '10000000000000000|',
    'x',
    '',
  );
  fc.assert(
    fc.property(prefix, secret, (start, end) => {
      const text = start + end;
      const theirs =
        parseBearer(text) ??
        (['cookie', 'refresh'] as const).map((kind) => parseOpaque(kind, text)).find((one) => one !== null);
      expect(credentialKind(text)).toBe(theirs?.kind ?? null);
    }),
  );
});

describe('flights', () => {
  test('are shared, bounded, and removed when they are over', async () => {
    const flights = new Flights<number>(2);
    let begun = 0;
    const finish: (() => void)[] = [];
    const work = (): Promise<number> => {
      const turn = ++begun;
      return new Promise((resolve) => finish.push(() => resolve(turn)));
    };
    const [a, b, c] = [flights.join('a', work), flights.join('a', work), flights.join('b', work)];
    expect(flights.join('c', work)).toBeNull();
    expect([begun, flights.size]).toEqual([2, 2]);
    finish[0]?.();
    // A caller that continues after it can start anew at once.
    expect(await Promise.all([a, b])).toEqual([1, 1]);
    const again = flights.join('a', work);
    finish[2]?.();
    expect(await again).toBe(3);
    finish[1]?.();
    expect(await c).toBe(2);
  });

  test('that fail are removed as well', async () => {
    const flights = new Flights<number>(1);
    await expect(flights.join('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(flights.size).toBe(0);
  });
});

describe('watches', () => {
  const session = (born: number, more: object = {}) =>
    watch({
      sid: crypto.randomUUID(),
      subject: '7',
      clientId: 'shop',
      deviceId: 'd',
      born,
      login: null,
      tenant: 'default',
      ...more,
    });

  test('fire by id, user, client, device and everyone, and only then', () => {
    const watches = new EndedWatches();
    const told: string[] = [];
    const one = session(10);
    const add = (): void => void watches.add(one, (why) => told.push(why));
    const keys = ['user:7', 'client:shop', 'device:7:d', 'everyone'];
    for (const key of keys) {
      add();
      watches.apply({ ids: [], cuts: [{ key: `${key}x`, ...cutAll(11) }] });
      watches.apply({ ids: [crypto.randomUUID()], cuts: [{ key, ...cutAll(10) }] });
      watches.apply({ ids: [], cuts: [{ key, ...cutOthers(11, one.facts.sid) }] });
      expect(told).toEqual([]);
      watches.apply({ ids: [], cuts: [{ key, ...cutAll(11) }] });
      expect(told.splice(0)).toEqual(['ended']);
      watches.apply({ ids: [one.facts.sid], cuts: [{ key, ...cutAll(12) }] });
      expect([told, watches.size]).toEqual([[], 0]);
    }
  });

  test('fire by a cut of their session or of its login, each by its own keys and beginning', () => {
    const watches = new EndedWatches();
    const told: string[] = [];
    const login = { sid: crypto.randomUUID(), born: 5, clientId: 'idp', deviceId: 'd' };
    watches.add(session(10, { login }), (why) => told.push(why));
    // Older than the cut is the login alone, which belongs to another client.
    watches.apply({ ids: [], cuts: [{ key: 'client:shop', ...cutAll(8) }] });
    expect(told).toEqual([]);
    watches.apply({ ids: [], cuts: [{ key: 'client:idp', ...cutAll(8) }] });
    expect(told).toEqual(['ended']);
  });

  test('added by a callback do not fire for ever', () => {
    const watches = new EndedWatches();
    const one = session(10);
    let told = 0;
    const again = (): void => {
      told++;
      watches.add(one, again);
    };
    watches.add(one, again);
    watches.apply({ ids: [one.facts.sid], cuts: [] });
    expect(told).toBe(1);
    watches.review(() => 'lost');
    expect([told, watches.size]).toEqual([2, 1]);
  });

  test('that were removed leave nothing behind', () => {
    const watches = new EndedWatches();
    const stop = watches.add(session(1), () => undefined);
    expect([watches.size, stop(), stop(), watches.size]).toEqual([1, true, false, 0]);
  });
});

test('activity is sent once for each credential, in pieces, with its age', () => {
  const activity = new Activity();
  const all = Array.from({ length: 1200 }, (_, i) => ({ sid: `s${i}`, usedMs: 0, listed: false }));
  for (let round = 1; round <= 3; round++) for (const one of all) activity.use(one, round * 1000);
  const pieces = [...activity.take(3500)];
  expect(pieces.map((piece) => piece.length)).toEqual([500, 500, 200]);
  expect(pieces[0]?.[0]).toEqual(['s0', 500]);
  expect([...activity.take(4000)]).toEqual([]);
  activity.use(all[0] as (typeof all)[0], 5000);
  expect([...activity.take(4000)]).toEqual([[['s0', 0]]]);
});

test('the session is readable only behind ok: the compiler says so', () => {
  const subjectOf = (verified: Verified): string => {
    // @ts-expect-error a refusal has none
    void verified.session;
    // @ts-expect-error and a yes has no reason
    void verified.reason;
    return verified.ok ? verified.session.subject : verified.reason;
  };
  const refusal: Refused = { ok: false, reason: 'stale' };
  expect(subjectOf(refusal)).toBe('stale');
});

test('metrics are in Prometheus’ format, each under its name', () => {
  const text = metricsText({
    fresh: true,
    ageMs: 1500,
    connected: false,
    connections: 3,
    replica: { ids: 4, cuts: 5, bytes: 6 },
    credentials: 7,
    keys: 8,
    accepted: { memory: 9, authority: 10 },
    refused: new Map([['ended', 11]]),
    asked: new Map([['active', 12]]),
  });
  expect(text).toBe(`# HELP curfew_verifier_fresh 1 while checks are answered from memory.
# TYPE curfew_verifier_fresh gauge
curfew_verifier_fresh 1
# HELP curfew_verifier_age_seconds Age of the replica.
# TYPE curfew_verifier_age_seconds gauge
curfew_verifier_age_seconds 1.5
# HELP curfew_verifier_connected 1 while a node of the authority is connected.
# TYPE curfew_verifier_connected gauge
curfew_verifier_connected 0
# HELP curfew_verifier_connections_total Connections opened.
# TYPE curfew_verifier_connections_total counter
curfew_verifier_connections_total 3
# HELP curfew_verifier_replica_ended_ids Ended sessions in the replica.
# TYPE curfew_verifier_replica_ended_ids gauge
curfew_verifier_replica_ended_ids 4
# HELP curfew_verifier_replica_cuts Cuts in the replica.
# TYPE curfew_verifier_replica_cuts gauge
curfew_verifier_replica_cuts 5
# HELP curfew_verifier_replica_bytes Memory used by the ended sessions.
# TYPE curfew_verifier_replica_bytes gauge
curfew_verifier_replica_bytes 6
# HELP curfew_verifier_credentials Credentials in memory.
# TYPE curfew_verifier_credentials gauge
curfew_verifier_credentials 7
# HELP curfew_verifier_keys Signing keys known.
# TYPE curfew_verifier_keys gauge
curfew_verifier_keys 8
# HELP curfew_verifier_accepted_total Checks that accepted the credential.
# TYPE curfew_verifier_accepted_total counter
curfew_verifier_accepted_total{by="memory"} 9
curfew_verifier_accepted_total{by="authority"} 10
# HELP curfew_verifier_refused_total Checks that refused the credential.
# TYPE curfew_verifier_refused_total counter
curfew_verifier_refused_total{reason="ended"} 11
# HELP curfew_verifier_asked_total Requests to the authority.
# TYPE curfew_verifier_asked_total counter
curfew_verifier_asked_total{says="active"} 12
`);
});

test('the age of a verifier that was never fresh is infinite, in Prometheus’ spelling', () => {
  const figures = {
    fresh: false,
    ageMs: Number.POSITIVE_INFINITY,
    connected: false,
    connections: 0,
    replica: { ids: 0, cuts: 0, bytes: 0 },
    credentials: 0,
    keys: 0,
    accepted: { memory: 0, authority: 0 },
    refused: new Map(),
    asked: new Map(),
  };
  expect(metricsText(figures)).toContain('curfew_verifier_age_seconds +Inf\n');
});
