import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { withClient } from '../services/postgres.ts';
import { ISSUER, migrated, silent } from '../support.ts';
import { openKeyRing } from '../../src/keys/key-ring.ts';
import { migrate } from '../../src/store/migrate.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { oneStarterAtATime, unhurried } from '../../src/store/start-lock.ts';
import { realSystem } from '../../src/system/real.ts';
import { insertUser } from '../../src/store/users.ts';
import { openNode, quickPasswords, repeat } from './node.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

function migrateIn(url: string): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--conditions=curfew-source', MAIN, 'migrate'], {
      env: { PATH: process.env['PATH'], DATABASE_URL: url },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}

describe.runIf(hasPostgres())('several starts at once on an empty database', () => {
  test.concurrent('a migration that needs an exclusive lock waits for it, and delays nobody meanwhile', async () => {
    const url = await freshDatabase();
    const first = readFileSync(new URL('../../db/migrations/0001-first.sql', import.meta.url), 'utf8');
    await withClient(url, async (client) => {
      await client.query(first);
      await client.query(`create table schema_migrations (
        number integer primary key, name text not null, checksum text not null, applied_at timestamptz not null default now())`);
      await client.query('insert into schema_migrations (number, name, checksum) values (1, $1, $2)', [
        '0001-first.sql',
        createHash('sha256').update(first).digest('hex'),
      ]);
    });
    const database = openPostgres({ url, pool: 2, statementNames: true, log: silent });
    try {
      await withClient(url, async (slow) => {
        await slow.query('begin');
        await slow.query('lock table user_sessions in access share mode');
        const migrating = migrate(database);
        const over = migrating.then(
          () => 'migrated',
          (error: unknown) => error,
        );
        // Longer than the time limit of any other statement, and than the driver's.
        const untilMs = performance.now() + 6500;
        let longestMs = 0;
        await withClient(url, async (other) => {
          while (performance.now() < untilMs) {
            const askedMs = performance.now();
            await other.query('select count(*) from user_sessions');
            longestMs = Math.max(longestMs, performance.now() - askedMs);
            expect(await Promise.race([over, sleep(20, 'waits')])).toBe('waits');
          }
        });
        // A node's statement that comes while the migration waits is answered within a second, and not after the other's end.
        expect(longestMs).toBeGreaterThan(50);
        expect(longestMs).toBeLessThan(3000);
        await slow.query('commit');
        expect((await migrating)[0]).toMatch(/^0002-/);
      });
    } finally {
      await database.close();
    }
  });

  test.concurrent('a migration has no time limit', async () => {
    const database = openPostgres({
      url: await freshDatabase(),
      pool: 1,
      statementNames: true,
      log: silent,
    });
    try {
      const slept = await oneStarterAtATime(database, async (on) => {
        // Longer than the time limit of any other statement, and than the driver's.
        await (await unhurried(on)).query({ text: 'select pg_sleep(6.5)', values: [] });
        return true;
      });
      expect(slept).toBe(true);
    } finally {
      await database.close();
    }
  });

  test('four processes migrate: each ends well, and each migration is applied once', async () => {
    const url = await freshDatabase();
    const ended = await Promise.all([migrateIn(url), migrateIn(url), migrateIn(url), migrateIn(url)]);
    expect(ended.map(({ code, output }) => [code, code === 0 ? '' : output])).toEqual(
      ended.map(() => [0, '']),
    );
    const { rows } = await withClient(url, (client) =>
      client.query('select number from schema_migrations order by number'),
    );
    const numbers = rows.map((row: { number: number }) => row.number);
    expect(numbers.length).toBeGreaterThan(0);
    expect(new Set(numbers).size).toBe(numbers.length);
  });

  test('nodes that open the key ring at the same moment create one first key of each algorithm', async () => {
    const system = realSystem(silent, quickPasswords());
    await repeat(4, async () => {
      const url = await freshDatabase(migrated);
      const databases = Array.from({ length: 4 }, () =>
        openPostgres({ url, pool: 2, statementNames: true, log: silent }),
      );
      // Connected before they start, so that they do start together.
      for (const database of databases) await database.query({ text: 'select 1', values: [] });
      await Promise.all(
        databases.map((database) =>
          openKeyRing({
            database,
            system,
            encryptionKey: null,
            issuer: ISSUER,
            algorithms: () => ['EdDSA', 'ES256'],
            rotationDays: 0,
            publishSeconds: 0,
            keepSeconds: () => 60,
          }),
        ),
      );
      const { rows } = await withClient(url, (client) =>
        client.query('select alg from signing_keys order by alg'),
      );
      expect(rows.map((row: { alg: string }) => row.alg)).toEqual(['ES256', 'EdDSA'].toSorted());
      for (const database of databases) await database.close();
    });
  });

  test('nodes that start together accept each other’s tokens at once', async () => {
    await repeat(2, async () => {
      const settings = { DATABASE_URL: await freshDatabase(migrated) };
      const nodes = await Promise.all([openNode(settings), openNode(settings), openNode(settings)]);
      const [first] = nodes;
      if (!first) throw new Error('no node');
      const { database, system } = first.world;
      const { rows } = await database.query({ text: 'select kid from signing_keys', values: [] });
      expect(rows.length).toBe(1);
      const user = { email: 'a@example.com', name: '', workspace: '', role: 'user' } as const;
      await insertUser(database, { ...user, passwordHash: 'quick:secret' }, system.now());
      for (const node of nodes) {
        const login = await node.call('POST', '/v1/login', {
          body: { email: 'a@example.com', password: 'secret' },
        });
        expect(login.status).toBe(200);
        for (const other of nodes)
          expect((await other.call('GET', '/v1/check', { bearer: login.json.access_token })).status).toBe(
            200,
          );
      }
      await Promise.all(nodes.map((node) => node.close()));
    });
  });
});
