import { execFile } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { FEED_CLOSED } from '@curfew/protocol/feed-messages';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { curlLines } from '../../src/cli/serve.ts';
import { freshData } from '../services/embedded-data.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { withClient } from '../services/postgres.ts';
import { makeScratch } from '../services/scratch.ts';
import { migrated, PASSWORD, SERVICE_KEY } from '../support.ts';
import { run, runProcess, serve, type ServerProcess } from './processes.ts';

const logIn = async (server: ServerProcess): Promise<string> =>
  (await server.call('POST', '/v1/login', { body: { email: 'test@example.com', password: PASSWORD } })).json
    .access_token;
const status = async (server: ServerProcess, token: string): Promise<number> =>
  (await server.call('GET', '/v1/check', { bearer: token })).status;

describe('a server on the embedded database', () => {
  const CURFEW_DATA = freshData('data');
  const place = { CURFEW_DATA, CURFEW_EMBEDDED_FSYNC: '0' };
  const file = join(CURFEW_DATA, 'server.json');
  const start = () => serve({ ...place, CURFEW_SERVICE_KEYS: SERVICE_KEY });
  let server: ServerProcess;
  let [kept, ended] = ['', ''];
  beforeAll(async () => {
    server = await start();
  });
  afterAll(async () => {
    await server.stop();
  });

  test('announces itself, and each of its curl lines works as printed', async () => {
    const printed = server.output();
    expect(printed).toContain(
      `  Listening   ${server.url}\n  Pages       ${server.url}/login\n  API page    ${server.url}/docs\n`,
    );
    expect(printed).toContain('admin@example.com   administrator, user 1');
    const lines = printed.split('\n').filter((line) => line.startsWith('  curl '));
    expect(lines).toEqual(curlLines(server.url));
    expect(lines).toHaveLength(4);
    const [envelope, sessionId, token, cookie] = await Promise.all(lines.map((line) => curl(line)));
    expect(JSON.parse(envelope ?? '')).toMatchObject({ success: true, data: { token_type: 'Bearer' } });
    expect(JSON.parse(sessionId ?? '')).toMatchObject({ success: true, data: { userId: 1 } });
    expect(JSON.parse(token ?? '')).toMatchObject({ access_token: expect.stringMatching(/^\d+\|/) });
    expect(cookie).toMatch(/^set-cookie: curfew_session=cs_/im);
    expect(cookie).toContain('"csrf_token"');
  });

  test('announces its address to the commands, and to nobody else', () => {
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(CURFEW_DATA).mode & 0o077).toBe(0);
    const announced = JSON.parse(readFileSync(file, 'utf8'));
    expect(announced).toMatchObject({ url: server.url, pid: server.pid });
    expect(server.output()).not.toContain(announced.key);
  });

  test('a second process on the directory is refused with a sentence', async () => {
    const second = await run(['serve'], { CURFEW_DATA, PORT: '0' });
    expect(second).toMatchObject({ code: 1, out: '' });
    expect(second.err).toMatch(
      new RegExp(`^curfew: another Curfew process, ${server.pid}, has \\S+ open\\. Stop it first, or .*\\n$`),
    );
    const migrating = await run(['migrate'], { CURFEW_DATA });
    expect(migrating.err).toMatch(/^curfew: another Curfew process, \d+, has /);
  });

  test('a command reaches it by address with a service key from the environment', async () => {
    const named = { CURFEW_SERVICE_KEY: SERVICE_KEY };
    const found = await run(['user', 'list', '--url', server.url, '--json'], named);
    expect(found.json.users).toHaveLength(2);
    expect((await run(['user', 'list'], { ...named, CURFEW_URL: server.url })).code).toBe(0);

    const without = await run(['user', 'list', '--url', server.url]);
    expect(without.code).toBe(1);
    expect(without.err).toMatch(/^curfew: CURFEW_SERVICE_KEY: is required to call a server by its address/);
    const wrong = await run(['user', 'list', '--url', server.url], { CURFEW_SERVICE_KEY: 'x'.repeat(40) });
    expect(wrong).toMatchObject({
      code: 1,
      err: 'curfew: the server does not accept this CURFEW_SERVICE_KEY. Set it to an API key of that server with the scope admin.\n',
    });
    const open = await run(['user', 'list', '--url', 'http://sessions.example.com'], named);
    expect(open).toMatchObject({ code: 2, out: '' });
    expect(open.err).toContain('plain http is allowed only for loopback');
    const nobody = await run(['user', 'list', '--url', 'http://127.0.0.1:1'], named);
    expect(nobody.code).toBe(1);
    expect(nobody.err).toMatch(/^curfew: the server at http:\/\/127\.0\.0\.1:1 cannot be reached: .*\n$/);
  });

  test('a request that offers another protocol is answered over HTTP', async () => {
    const body = JSON.stringify({ email: 'test@example.com', password: PASSWORD });
    const { socket, received } = await begin(server.url, body.length, OFFERS_HTTP_2);
    socket.write(body);
    expect(await received).toMatch(/^HTTP\/1\.1 200 [\s\S]*"access_token"/);
  });

  test('SIGTERM lets a request under way finish, accepts no new one, and sends verifiers elsewhere', async () => {
    [kept, ended] = [await logIn(server), await logIn(server)];
    const logout = { bearer: ended, body: { scope: 'this' } };
    expect((await server.call('POST', '/v1/logout', logout)).status).toBe(200);
    const body = JSON.stringify({ email: 'test@example.com', password: PASSWORD });
    const { socket, received } = await begin(server.url, body.length);
    socket.write(body.slice(0, 10));
    const feed = new WebSocket(`${server.url.replace('http', 'ws')}/v1/feed`, {
      headers: { authorization: `Bearer ${SERVICE_KEY}` },
    });
    await once(feed, 'open');
    const feedClosed = once(feed, 'close');
    server.signal('SIGTERM');
    expect((await feedClosed)[0]).toBe(FEED_CLOSED.restart);
    await server.said('"msg":"draining"');
    await expect(fetch(`${server.url}/healthz`)).rejects.toThrow('fetch failed');
    socket.write(body.slice(10));
    expect(await received).toMatch(/^HTTP\/1\.1 200 [\s\S]*"access_token"/);
    expect(await server.ended).toBe(0);
    expect(server.output()).toContain('"msg":"stopped"');
    // Kept alive as it was, the connection was closed when it had nothing more to do, and not by force.
    expect(server.output()).not.toContain('cut off');
    expect(existsSync(file)).toBe(false);
  });

  test('a restart keeps every session and every logout', async () => {
    server = await start();
    expect([await status(server, kept), await status(server, ended)]).toEqual([200, 401]);
  });

  test('the files left by kill -9 mislead nobody', async () => {
    [kept, ended] = [await logIn(server), await logIn(server)];
    await server.call('POST', '/v1/logout', { bearer: ended, body: { scope: 'this' } });
    server.signal('SIGKILL');
    await server.ended;
    expect(existsSync(file)).toBe(true);

    const alive = await run(['sessions', 'list', '--user', '2', '--json'], place);
    expect(alive).toMatchObject({ code: 0, err: '' });
    const [session] = alive.json.sessions;
    const out = await run(['sessions', 'end', session.id, '--json'], place);
    expect(out.json).toMatchObject({ ended: 1, confirmed: true });

    server = await start();
    expect([await status(server, kept), await status(server, ended)]).toEqual([401, 401]);
    const log = await server.call('GET', '/v1/admin/events?reason=admin_logout', { bearer: SERVICE_KEY });
    expect(log.json.events).toMatchObject([{ actor: 'operator', session_ids: [session.id] }]);
  });
});

describe('a start that is refused says why in one sentence', () => {
  const CURFEW_DATA = makeScratch('unused');
  const production = {
    NODE_ENV: 'production',
    DATABASE_URL: 'postgres://localhost:1/none',
    CURFEW_KEY: 'l2zJt1m9R3sTqjJmY5e2wqQb6f3l0m1oXx1bS8yWc2s=',
    CURFEW_ISSUER: 'https://sessions.example.com',
  };

  test.each([
    {
      lacks: 'CURFEW_KEY',
      says: /^curfew: CURFEW_KEY: is required in production\. Set it to the output of: openssl/,
    },
    { lacks: 'CURFEW_ISSUER', says: /^curfew: CURFEW_ISSUER: is required in production/ },
  ])('in production without $lacks', async ({ lacks, says }) => {
    const refused = await run(['serve'], { ...production, CURFEW_DATA, [lacks]: '' });
    expect(refused).toMatchObject({ code: 1, out: '' });
    expect(refused.err).toMatch(says);
    expect(refused.err.trimEnd().split('\n')).toHaveLength(1);
    expect(existsSync(join(CURFEW_DATA, 'database'))).toBe(false);
  });

  test('for a setting that does not exist, or is invalid', async () => {
    const unknown = await run(['serve'], { CURFEW_DATA, CURFEW_LEASE: '1' });
    expect(unknown.err).toBe('curfew: CURFEW_LEASE: no such setting. docs/settings.md lists all settings.\n');
    const unread = await run(['user', 'list'], { CURFEW_DATA, CURFEW_LEASE_MS: 'soon' });
    expect(unread.code).toBe(1);
    expect(unread.err).toMatch(/^curfew: CURFEW_LEASE_MS: .*\n$/);
  });

  test('for an invalid place database', async () => {
    const CURFEW_PLACES = join(makeScratch('places'), 'city.mmdb');
    writeFileSync(CURFEW_PLACES, 'Gdańsk');
    const refused = await run(['serve'], { CURFEW_DATA, CURFEW_PLACES });
    expect(refused).toMatchObject({ code: 1, out: '' });
    expect(refused.err).toBe(
      `curfew: CURFEW_PLACES: ${CURFEW_PLACES} is not a place database. Set it to an unpacked city database in MaxMind's format, such as GeoLite2-City.mmdb, or remove the setting.\n`,
    );
    expect(existsSync(join(CURFEW_DATA, 'database'))).toBe(false);
  });

  test('for an unreachable database, without its password', async () => {
    const refused = await run(['user', 'list'], {
      DATABASE_URL: 'postgres://me:hunter22222@127.0.0.1:1/none',
    });
    expect(refused).toMatchObject({ code: 1, out: '' });
    expect(refused.err).toBe('curfew: nothing listens at 127.0.0.1:1. Is the database running?\n');
  });

  test.skipIf(!hasPostgres())('for a taken port', async () => {
    const taken = await listener();
    const { port } = taken.address() as { port: number };
    try {
      // As a process: nothing that was opened keeps it from ending.
      const refused = await runProcess(['serve'], {
        DATABASE_URL: await freshDatabase(migrated),
        PORT: String(port),
        LOG_LEVEL: 'error',
      });
      expect(refused).toMatchObject({ code: 1, out: '' });
      expect(refused.err).toBe(
        `curfew: another program uses 127.0.0.1:${port}. Stop it, or set PORT to a free port.\n`,
      );
    } finally {
      taken.close();
    }
  });

  test.skipIf(!hasPostgres())('for a database migrated by a newer program', async () => {
    const DATABASE_URL = await freshDatabase(migrated);
    await withClient(DATABASE_URL, (client) =>
      client.query(
        `insert into schema_migrations (number, name, checksum) values (9999, '9999-later.sql', '')`,
      ),
    );
    for (const args of [['serve'], ['migrate'], ['user', 'list']]) {
      const refused = await run(args, { DATABASE_URL, PORT: '0', LOG_LEVEL: 'error' });
      expect(refused).toMatchObject({ code: 1, out: '' });
      expect(refused.err).toBe(
        'curfew: the database has migration 9999-later.sql, which this program does not know: it was made by a newer Curfew. Run that version, or a newer one.\n',
      );
    }
  });

  test.skipIf(!hasPostgres())('for signing keys sealed under another CURFEW_KEY', async () => {
    const DATABASE_URL = await freshDatabase(migrated);
    expect(
      (
        await run(['keys', 'list'], {
          DATABASE_URL,
          CURFEW_KEY: 'l2zJt1m9R3sTqjJmY5e2wqQb6f3l0m1oXx1bS8yWc2s=',
        })
      ).code,
    ).toBe(0);
    const refused = await run(['user', 'list'], {
      DATABASE_URL,
      CURFEW_KEY: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c',
    });
    expect(refused).toMatchObject({
      code: 1,
      err: 'curfew: the signing keys in the database were encrypted with another CURFEW_KEY\n',
    });
  });
});

test.skipIf(!hasPostgres())('migrate names what it applies, and applies it once', async () => {
  const DATABASE_URL = await freshDatabase();
  const [one, other] = await Promise.all([1, 2].map(() => run(['migrate', '--json'], { DATABASE_URL })));
  const applied = [...(one?.json.applied ?? []), ...(other?.json.applied ?? [])];
  expect(applied[0]).toBe('0001-first.sql');
  expect(new Set(applied).size).toBe(applied.length);
  expect(`${one?.err}${other?.err}`).toBe(applied.map((name) => `Applying ${name}\n`).join(''));
  expect(await run(['migrate'], { DATABASE_URL })).toMatchObject({
    code: 0,
    out: 'The schema is up to date.\n',
    err: '',
  });
});

/** Runs a printed line in a shell; without curl, sends the same request. */
async function curl(line: string): Promise<string> {
  try {
    return (await promisify(execFile)('sh', ['-c', line])).stdout;
  } catch (error) {
    if ((error as { code?: unknown }).code !== 127) throw error;
    const [, url = '', body = ''] = /-X POST (\S+) .*-d '([^']*)'/.exec(line) ?? [];
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(url, { method: 'POST', headers, body });
    const cookies = response.headers.getSetCookie().map((cookie) => `set-cookie: ${cookie}\n`);
    return `${line.endsWith(' -i') ? cookies.join('') : ''}${await response.text()}`;
  }
}

/** As Java's client and `curl --http2` ask. */
const OFFERS_HTTP_2 =
  'connection: upgrade, http2-settings, close\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n';

/** The head of a login request whose body is still to come. */
async function begin(
  url: string,
  length: number,
  headers = '',
): Promise<{ socket: Socket; received: Promise<string> }> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let text = '';
  socket.on('data', (chunk) => (text += String(chunk)));
  const received = once(socket, 'close').then(() => text);
  await once(socket, 'connect');
  socket.write(
    `POST /v1/login HTTP/1.1\r\nhost: ${hostname}\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n${headers}\r\n`,
  );
  return { socket, received };
}

async function listener(): Promise<Server> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
