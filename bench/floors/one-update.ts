import { createServer, type IncomingMessage } from 'node:http';
import pg from 'pg';
import type { Credential } from '../candidates/credential.ts';
import { offerCredentials, setting } from '../candidates/offer.ts';

/**
 * The minimum for a durable logout over HTTP: one `UPDATE … RETURNING` and its commit, by `pg` with ten connections. It does nothing else:
 * no signature, no event, no other replica.
 */
// The connections stay open, or each round would begin with opening ten of them.
const pool = new pg.Pool({ connectionString: setting('DATABASE_URL'), max: 10, idleTimeoutMillis: 0 });
await pool.query(`CREATE TABLE IF NOT EXISTS floor_sessions (
  id uuid PRIMARY KEY, user_id bigint NOT NULL, is_active boolean NOT NULL DEFAULT true, ended_at timestamptz
)`);

const end = {
  name: 'end',
  text: `UPDATE floor_sessions SET is_active = false, ended_at = now()
         WHERE id = $1 AND is_active RETURNING user_id`,
};
const find = { name: 'find', text: 'SELECT user_id FROM floor_sessions WHERE id = $1 AND is_active' };

function sessionOf(request: IncomingMessage): string {
  return (request.headers.authorization ?? '').slice('Bearer '.length);
}

const server = createServer((request, response) => {
  const statement = request.method === 'POST' ? end : find;
  pool.query({ ...statement, values: [sessionOf(request)] }).then(
    ({ rowCount }) => {
      response.statusCode = rowCount === 1 ? 200 : 401;
      response.end('{"message":"Logout successful"}');
    },
    () => {
      response.statusCode = 500;
      response.end();
    },
  );
});

async function credentials(count: number): Promise<Credential[]> {
  const { rows } = await pool.query<{ id: string }>(
    `INSERT INTO floor_sessions (id, user_id) SELECT gen_random_uuid(), n % 100 FROM generate_series(1, $1) n
     RETURNING id`,
    [count],
  );
  return rows.map(({ id }) => {
    const headers = { Authorization: `Bearer ${id}` };
    return {
      check: { method: 'GET', path: '/', headers },
      logout: { method: 'POST', path: '/', headers },
    };
  });
}

server.listen(Number(setting('PORT')), '127.0.0.1', () => offerCredentials(credentials));
