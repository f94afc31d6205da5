/**
 * A whole run through every endpoint, with failures, and then a search: no secret that was given out, or sent in, is in
 * the log, in the body of an error, or in the database.
 */
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { withClient } from '../services/postgres.ts';
import {
  type Answer,
  type Caller,
  migrated,
  recordingLog,
  reopenAuthority,
  SERVICE_KEY,
  strong,
  type TestAuthority,
} from '../support.ts';
import { callForOperators, callWithKeys } from './secret-calls.ts';
import { PASSWORDS, wholeRun } from './secret-run.ts';
import { ROWS } from './described.ts';

const KEY = 'curfew-key-of-the-test-0123456789abcdefghij';
/** A secret as it could be found: as it is, in hexadecimal, in both base64s. */
function spellings(secret: string): string[] {
  const bytes = Buffer.from(secret);
  return [
    secret,
    bytes.toString('hex'),
    bytes.toString('base64').replace(/=+$/, ''),
    bytes.toString('base64url'),
    encodeURIComponent(secret),
  ];
}

describe.runIf(hasPostgres())('secrets', () => {
  let on: TestAuthority;
  let url: string;
  const recorded = recordingLog();
  const secrets = new Set<string>([...PASSWORDS, SERVICE_KEY, KEY]);
  const errors: string[] = [];
  const visited = new Set<string>();
  let ahead = 0;

  beforeAll(async () => {
    url = await freshDatabase(migrated);
    on = await reopenAuthority(
      {
        DATABASE_URL: url,
        CURFEW_KEY: KEY,
        CURFEW_CLIENTS: '{"rs":{"algorithm":"RS256"},"es":{"algorithm":"ES256"}}',
        CURFEW_LOGIN_FAILURES_PAIR: '4',
        LOG_LEVEL: 'trace',
      },
      { log: recorded.log, system: { now: () => new Date(Date.now() + ahead), passwords: strong } },
    );
  });
  afterAll(() => on.close());

  /** Every value of an answer that opens something. */
  function note(answer: Answer): void {
    const walk = (value: unknown, name: string): void => {
      if (
        typeof value === 'string' &&
        /token$|Token$|^password$|^value$|^secret$/.test(name) &&
        value.length > 8
      )
        secrets.add(value);
      if (typeof value === 'object' && value !== null)
        for (const [key, inner] of Object.entries(value)) walk(inner, /^\d+$/.test(key) ? name : key);
    };
    walk(answer.json, '');
    for (const line of answer.headers.getSetCookie()) {
      const value = /=([^;]*)/.exec(line)?.[1];
      if (value) secrets.add(value);
    }
  }

  const call: Caller = async (method, path, options) => {
    const answer = await on.call(method, path, options);
    visited.add(`${method} ${path.split('?')[0]}`);
    if (answer.status >= 400) errors.push(answer.text);
    else note(answer as Answer);
    return answer;
  };

  function find(where: string, text: string): string[] {
    const lower = text.toLowerCase();
    return [...secrets].flatMap((secret) =>
      spellings(secret)
        .filter((spelling) => lower.includes(spelling.toLowerCase()))
        .map(
          (spelling) =>
            `${where}: ${secret.slice(0, 12)}… as ${spelling.slice(0, 12)}… ${text.slice(Math.max(0, lower.indexOf(spelling.toLowerCase()) - 80)).slice(0, 120)}`,
        ),
    );
  }

  test('no secret is in the log, in an error, or in the database', async () => {
    await callWithKeys(call, 2);
    await callForOperators(call, PASSWORDS[0]);
    await wholeRun(call, url, () => {
      ahead = 60_000;
    });
    await on.close();
    // Everything was there to be found: every row of the contract was called, and secrets of every kind were given out.
    const patterns = [...visited].map((one) =>
      one
        .replace(/\/(users|api-keys)\/\d+/, '/$1/{id}')
        .replace(/\/clients\/shop/, '/clients/{id}')
        .replace(/\/sessions\/[0-9a-f-]{36}/, '/sessions/{id}'),
    );
    const missing = ROWS.filter((row) => !patterns.includes(`${row.method.toUpperCase()} ${row.path}`)).map(
      (row) => row.path,
    );
    expect(missing).toEqual([]);
    for (const shape of [
      /^eyJ/,
      /^rt_/,
      /^cs_/,
      /^sess_/,
      /^curfew_ck_/,
      /^curfew_ok_/,
      /^\d+\|/,
      /^[\w-]{43}$/,
      /^[\w-]{20}$/,
    ])
      expect([...secrets].filter((secret) => shape.test(secret)).length, String(shape)).toBeGreaterThan(0);
    expect(secrets.size).toBeGreaterThan(60);
    expect(errors.length).toBeGreaterThan(100);
    expect(recorded.lines.length).toBeGreaterThan(300);
    expect(recorded.lines.some((line) => line.includes('a request failed'))).toBe(true);

    // The second part of a `<id>|<secret>`, and of a prefixed token, is the secret itself.
    for (const secret of Array.from(secrets)) {
      const bare = /^(?:\d+\||rt_|cs_|sess_|curfew_[co]k_)([\w-]{38,43})$/.exec(secret)?.[1];
      if (bare !== undefined) secrets.add(bare);
      const signature = /^eyJ[\w-]+\.[\w-]+\.([\w-]+)$/.exec(secret)?.[1];
      if (signature !== undefined) secrets.add(signature);
    }

    const found = [...find('log', recorded.text()), ...errors.flatMap((text) => find('error', text))];
    const { tables, hashes } = await withClient(url, async (client) => {
      const names = await client.query<{ name: string }>(
        `select table_name as name from information_schema.tables where table_schema = 'public'`,
      );
      const dumped: Record<string, string> = {};
      for (const { name } of names.rows) {
        const { rows } = await client.query<{ text: string }>(`select t::text as text from "${name}" t`);
        dumped[name] = rows.map((row) => row.text).join('\n');
      }
      const tokens = await client.query<{ hash: string }>(`select encode(hash, 'hex') as hash from tokens`);
      return { tables: dumped, hashes: new Set(tokens.rows.map((row) => row.hash)) };
    });
    expect(Object.keys(tables).length).toBeGreaterThan(8);
    for (const [name, text] of Object.entries(tables)) found.push(...find(`table ${name}`, text));
    expect(found).toEqual([]);

    // The search finds what exists, and tokens exist as SHA-256.
    const planted = randomBytes(32).toString('base64url');
    secrets.add(planted);
    expect(find('here', `x${Buffer.from(planted).toString('hex').toUpperCase()}y`)).toHaveLength(1);
    const stored = [...secrets].filter((secret) =>
      hashes.has(createHash('sha256').update(secret).digest('hex')),
    );
    expect(stored.length).toBeGreaterThan(10);
    expect(stored.filter((secret) => secret.startsWith('eyJ'))).toEqual([]);
  });
});
