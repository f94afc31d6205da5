/**
 * A client that continues with its credential after the logout costs no more than one with a live one: no question to the
 * database, no log line, and the ordinary answer to the byte. Work is counted, not timed.
 */
import { connect } from 'node:net';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Answer, cookieOf, ISSUER, routeBackend, SERVICE_KEY } from '../support.ts';
import { openPlace, type Node, type Place, until } from '../races/node.ts';

describe('a credential that is over', () => {
  let place: Place;
  let node: Node;
  let host: string;
  let asked: string[] = [];
  beforeAll(async () => {
    place = await openPlace(routeBackend());
    node = place.at(0);
    host = await node.listen();
    const { database } = node.world;
    const query = database.query.bind(database);
    Object.assign(database, {
      query: (config: Parameters<typeof query>[0]) => {
        if (/session_of|token/.test(config.name ?? '')) asked.push(config.name ?? '');
        return query(config);
      },
    });
  });
  afterAll(() => place.close());
  beforeEach(() => {
    node.lines.length = 0;
  });

  /** The answer on the wire. Names of fields may be in capitals (RFC 9110 section 5.1), and the adapter writes one of them so. */
  function check(header: string): Promise<string> {
    const { hostname, port } = new URL(host);
    return new Promise((resolve, reject) => {
      let text = '';
      const socket = connect(Number(port), hostname, () =>
        socket.write(`GET /v1/check HTTP/1.1\r\nHost: localhost\r\n${header}\r\nConnection: close\r\n\r\n`),
      );
      socket.setEncoding('utf8');
      socket.on('data', (more: string) => {
        text += more;
      });
      socket.on('end', () => {
        const named = text.replace(/^[\w-]+(?=: )/gm, (name) => name.toLowerCase());
        resolve(named.replace(/^(x-request-id|date): .*\r\n/gm, '$1\r\n'));
      });
      socket.on('error', reject);
    });
  }
  const statusOf = (answer: string): number => Number(answer.split(' ')[1]);
  const requestLines = (): number => node.lines.filter((line) => line.includes('/v1/check')).length;

  const kinds: [string, (email: string) => Promise<string>][] = [
    [
      'JWT',
      async (email) =>
        bearer(await logIn('/auth/login', { email, password: 'secret' }), 'data', 'access_token'),
    ],
    [
      'session token',
      async (email) =>
        bearer(
          await logIn('/api/auth/login', { username: email, password: 'secret' }),
          'data',
          'sessionToken',
        ),
    ],
    [
      'opaque access token',
      async (email) =>
        bearer(await logIn('/api/v1/auth/login', { email, password: 'secret' }), 'access_token'),
    ],
    [
      'cookie',
      async (email) =>
        `Cookie: other=1; curfew_session=${cookieOf(await logIn('/auth/login', { email, password: 'secret', transport: 'cookie' }))}`,
    ],
  ];
  const logIn = (path: string, body: unknown): Promise<Answer> =>
    node.call('POST', path, { body, headers: { origin: ISSUER } });
  const bearer = ({ json }: Answer, ...path: string[]): string => {
    let value: unknown = json;
    for (const name of path) value = (value as Record<string, unknown>)[name];
    return `Authorization: Bearer ${String(value)}`;
  };
  const endAll = async (userId: number): Promise<void> => {
    const { status } = await node.call('POST', '/v1/admin/logout', {
      body: { scope: 'user', user_id: userId },
      bearer: SERVICE_KEY,
    });
    expect(status).toBe(200);
  };

  test.each(kinds)('%s: refused from memory after the logout', async (_kind, make) => {
    const { id, email } = await place.user();
    const header = await make(email);
    expect(statusOf(await check(header))).toBe(200);
    await endAll(id);
    asked = [];
    const [first, second] = [await check(header), await check(header)];
    // Whether a cookie goes from the browser is asked for once, and once for the copy of that answer.
    expect(asked.filter((name) => name !== 'session_of_secret')).toEqual([]);
    asked = [];
    const rest = [second, await check(header), await check(header)];
    // The first one goes the ordinary way, and those after it are like it in every byte.
    expect(statusOf(first)).toBe(401);
    expect(rest).toEqual([first, first, first]);
    expect(asked).toEqual([]);
    expect(requestLines()).toBe(0);
  });

  test.each(kinds)('%s: looked up once when this node sees it for the first time', async (_kind, make) => {
    const { id, email } = await place.user();
    const header = await make(email);
    await endAll(id);
    node.world.memory.forget();
    asked = [];
    const answers = [await check(header), await check(header), await check(header)];
    expect(answers.map(statusOf)).toEqual([401, 401, 401]);
    expect(asked.filter((name) => name !== 'session_of_secret')).toHaveLength(1);
    // The database went back: an ended session may be alive.
    node.world.memory.forget();
    expect(statusOf(await check(header))).toBe(401);
    expect(asked.filter((name) => name !== 'session_of_secret')).toHaveLength(2);
  });

  test('invented credentials are not stored, whatever their number', async () => {
    const { id, email } = await place.user();
    const [, make] = kinds[1] as (typeof kinds)[number];
    const header = await make(email);
    await endAll(id);
    await check(header);
    const { buried } = node.world.memory;
    const secret = header.slice(-43);
    const madeUp = (): string =>
      `Authorization: Bearer sess_${randomUUID().replaceAll('-', '')}${secret.slice(32)}`;
    for (let i = 0; i < 5; i++) expect(statusOf(await check(madeUp()))).toBe(401);
    expect(node.world.memory.buried).toBe(buried);
  });

  test('a session that was only idle does not count as over', async () => {
    const { email } = await place.user();
    const [, make] = kinds[1] as (typeof kinds)[number];
    const header = await make(email);
    await place.rows(`update user_sessions set idle_expires_at = created_at - interval '1 hour'`);
    node.world.memory.forget();
    expect(statusOf(await check(header))).toBe(401);
    // Another node writes its use back.
    await place.rows(`update user_sessions set idle_expires_at = expires_at`);
    expect(statusOf(await check(header))).toBe(200);
  });

  test('refused checks are one line in the log', async () => {
    node.requests.sum();
    node.lines.length = 0;
    for (let i = 0; i < 7; i++) await check('Authorization: Bearer sess_nothing');
    expect(requestLines()).toBe(0);
    node.requests.sum();
    expect(node.lines.filter((line) => line.includes('checks were refused'))).toEqual([
      expect.stringContaining('"checks":7'),
    ]);
  });

  test.each(kinds)(
    '%s: each refusal is counted once in that line and in the metrics',
    async (_kind, make) => {
      const { id, email } = await place.user();
      const header = await make(email);
      expect(statusOf(await check(header))).toBe(200);
      await endAll(id);
      const refusals = async (): Promise<number> => {
        const text = await node.metrics.text();
        const lines = text.matchAll(/^curfew_request_seconds_count\{.*status="401".*\} (\d+)$/gm);
        return [...lines].reduce((sum, [, count]) => sum + Number(count), 0);
      };
      node.requests.sum();
      node.lines.length = 0;
      const before = await refusals();
      let made = 0;
      await until('memory refuses', async () => {
        const had = await refusals();
        made++;
        expect(statusOf(await check(header))).toBe(401);
        return (await refusals()) === had;
      });
      // All but the last one went the ordinary way.
      expect((await refusals()) - before).toBe(made - 1);
      node.requests.sum();
      const sums = node.lines.map((line) => JSON.parse(line)).filter(({ checks }) => checks !== undefined);
      expect(sums).toEqual([expect.objectContaining({ checks: made })]);
    },
  );

  // Last: the clock goes on.
  test.each(kinds)('%s: an expired one is looked up once at most', async (_kind, make) => {
    const { email } = await place.user();
    const header = await make(email);
    place.clock.advance(400 * 86_400);
    asked = [];
    const answers = [await check(header), await check(header), await check(header)];
    expect(answers.map(statusOf)).toEqual([401, 401, 401]);
    expect(asked.filter((name) => name !== 'session_of_secret').length).toBeLessThanOrEqual(1);
  });
});
