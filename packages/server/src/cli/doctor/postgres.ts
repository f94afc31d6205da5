import type { Logger } from 'pino';
import type { Config } from '../../config.ts';
import type { Database } from '../../store/database.ts';
import { readIdentity } from '../../store/node-registry.ts';
import { openPostgres } from '../../store/postgres.ts';
import { checkDatabase } from './database.ts';
import type { Findings } from './findings.ts';

const OLDEST = 15;
const NEWEST = 18;

interface ServerFacts {
  version: string;
  schema: string | null;
  may_create: boolean;
  fsync: string;
  synchronous: string;
  standbys: string;
  connections: string;
}

/** Whether PostgreSQL answers, in a supported version, and keeps its commits. */
export async function checkPostgres(
  config: Config,
  postgres: Extract<Config['database'], { kind: 'postgres' }>,
  log: Logger,
  findings: Findings,
): Promise<void> {
  await findings.look('DATABASE_URL', async () => {
    const database = openPostgres({ ...postgres, pool: 2, log });
    try {
      const { rows } = await database.query({
        text: `select current_setting('server_version_num') as version, current_schema() as schema,
          coalesce(has_schema_privilege(current_schema(), 'create'), false) as may_create,
          current_setting('fsync') as fsync, current_setting('synchronous_commit') as synchronous,
          current_setting('synchronous_standby_names') as standbys, current_setting('max_connections') as connections`,
        values: [],
      });
      const facts = (rows as ServerFacts[])[0];
      if (!facts) throw new Error('PostgreSQL did not answer');
      judge(facts, database.description, postgres.pool, findings);
      if (!postgres.statementNames || postgres.directUrl !== null)
        await findings.look('CURFEW_DATABASE_DIRECT_URL', () =>
          checkDirect(postgres, database, log, findings),
        );
      await checkDatabase(config, database, findings);
    } finally {
      await database.close();
    }
  });
}

/** Whether the direct address bypasses a pooler and leads to the same database. */
async function checkDirect(
  postgres: Extract<Config['database'], { kind: 'postgres' }>,
  pooled: Database,
  log: Logger,
  findings: Findings,
): Promise<void> {
  const about = 'CURFEW_DATABASE_DIRECT_URL';
  const { directUrl } = postgres;
  if (directUrl === null) {
    findings.warning(
      about,
      'is not set, but CURFEW_STATEMENT_NAMES is 0: nodes find each other’s logouts by reading the log, and without Redis every logout waits for the lease. Set it to an address of PostgreSQL that bypasses the pooler.',
    );
    return;
  }
  const direct = openPostgres({
    ...postgres,
    url: directUrl,
    pool: 1,
    statementNames: true,
    log,
  });
  try {
    const [one, other] = [await readIdentity(direct), await readIdentity(pooled)];
    if (one === other) findings.ok(about, `${direct.description} answers, and is the same database.`);
    else findings.problem(about, `${direct.description} is not the database of DATABASE_URL.`);
  } finally {
    await direct.close();
  }
}

function judge(facts: ServerFacts, description: string, pool: number, findings: Findings): void {
  const verdict = judgeVersion(Number(facts.version));
  findings[verdict.state]('DATABASE_URL', `${description} answers. ${verdict.sentence}`);
  if (!facts.may_create)
    findings.warning(
      'DATABASE_URL',
      `this database user may not create tables in ${facts.schema ?? 'any schema'}: migrations will fail. Make the user the owner of the database.`,
    );
  // With any synchronous_commit: Curfew's connections raise it from off to on.
  if (facts.fsync === 'off')
    findings.warning(
      'DATABASE_URL',
      'PostgreSQL runs with fsync off: a power cut can undo a logout that was answered.',
    );
  if (facts.standbys !== '' && facts.synchronous === 'local')
    findings.warning(
      'DATABASE_URL',
      'synchronous_commit is local, so commits do not wait for the standbys in synchronous_standby_names: a failover can undo a logout that was answered. Set synchronous_commit to on.',
    );
  // One process: the pool and the connection that listens.
  if (Number(facts.connections) < pool + 1)
    findings.warning(
      'CURFEW_DATABASE_POOL',
      `one process takes ${pool + 1} connections, but PostgreSQL allows ${facts.connections} in total.`,
    );
}

/** @param number in the form of `server_version_num`: 170002 is 17.2 */
export function judgeVersion(number: number): { state: 'ok' | 'warning' | 'problem'; sentence: string } {
  const major = Math.floor(number / 10_000);
  const version = `It is version ${major}.${number % 10_000}`;
  if (major < OLDEST)
    return {
      state: 'problem',
      sentence: `${version}, which is too old: Curfew supports ${OLDEST} to ${NEWEST}.`,
    };
  if (major > NEWEST)
    return {
      state: 'warning',
      sentence: `${version}, which is newer than the tested versions (${OLDEST} to ${NEWEST}).`,
    };
  return { state: 'ok', sentence: `${version}.` };
}
