/** Commands as processes: their input and output, their exit codes, and that they end. */
import { inject, expect, test } from 'vitest';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { migrated } from '../support.ts';
import { run, runProcess, startProcess } from './processes.ts';

test('the help and an invalid command line give their exit codes', async () => {
  const [help, wrong] = await Promise.all([runProcess(['help']), runProcess(['frob'])]);
  expect(help).toEqual(await run(['help']));
  expect(wrong).toEqual(await run(['frob']));
  expect([help.code, wrong.code]).toEqual([0, 2]);
});

test('the help loads neither a database nor HTTP nor the verifier', async () => {
  const names = `import { registerHooks } from 'node:module';
    registerHooks({ load(url, context, next) { process.stderr.write(url + '\\n'); return next(url, context); } });`;
  const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(names)}`;
  const { code, err } = await runProcess(['help'], { NODE_OPTIONS });
  expect([code, err]).toEqual([0, expect.stringContaining('/src/cli/help.ts')]);
  const heavy = /node_modules\/(@electric-sql|pg|hono|@hono|jose|ws|pino|ioredis)\//;
  expect(err.split('\n').filter((url) => heavy.test(url))).toEqual([]);
});

test('a reader that stops reading is no failure', async () => {
  const { child, ended } = startProcess(['help']);
  child.stdout.destroy();
  expect(await ended).toBe(0);
});

test.skipIf(!hasPostgres())(
  'on a database: a password is read, the answer is printed, and the process ends',
  async () => {
    const place = { DATABASE_URL: await freshDatabase(migrated) };
    const added = await runProcess(
      ['user', 'add', 'ada@example.com', '--json'],
      place,
      'correct horse\nmore\n',
    );
    expect(added).toMatchObject({ code: 0, err: '' });
    expect(added.json.user).toMatchObject({ id: 1, email: 'ada@example.com' });
    const redis = inject('redisUrl');
    const [taken, examined, listed] = await Promise.all([
      runProcess(['user', 'add', 'ada@example.com'], place, 'correct horse\n'),
      runProcess(['doctor'], { ...place, PORT: '0', ...(redis !== undefined && { REDIS_URL: redis }) }),
      runProcess(['watch', '--last', '1', '--for', '1'], place),
    ]);
    expect(taken).toMatchObject({
      code: 3,
      out: '',
      err: 'curfew: the user ada@example.com already exists.\n',
    });
    expect([examined.code, examined.out]).toEqual([0, expect.stringMatching(/\nNo problem found\.\n$/)]);
    expect([listed.code, listed.out]).toEqual([0, expect.stringContaining('user created  user 1')]);
  },
);
