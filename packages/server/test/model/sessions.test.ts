/**
 * Random commands over users, devices, applications, families and scopes, played on the server and on a reference that is written
 * from the documents: exactly the right sessions are ended. On the embedded database, and on two nodes of one PostgreSQL in turn.
 *
 * A failure prints its seed, its path and the shortest commands that show it. `MODEL_SEED` and `MODEL_PATH` replay it;
 * `MODEL_RUNS` is the number of plays.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { budget } from '../services/budget.ts';
import { backends } from '../support.ts';
import { type Command, commands } from './commands.ts';
import { spend } from './acts/refreshes.ts';
import { compareIdleEnds } from './acts/time.ts';
import { Play } from './play.ts';
import { run } from './run-command.ts';
import { compareRecords } from './records.ts';
import { GRACE_SECONDS, openStage, type Stage } from './stage.ts';

const { MODEL_SEED, MODEL_PATH, MODEL_TALLY } = process.env;
const RUNS = budget('MODEL_RUNS');

/** At its idle end a session may still be in use: the count of everyone that is to be confirmed has it, too. */
const COUNTED_AT_THE_IDLE_END: Command[] = [
  { at: 0, do: 'vouch', user: 0, transport: 'bearer', app: 'shop', device: null },
  { at: 0, do: 'wait', seconds: 600, calm: false },
  {
    at: 0,
    do: 'log out as administrator',
    by: 'service',
    forged: false,
    target: { scope: 'everyone', off: null },
  },
];
/** Shrinking takes many plays; the best result so far is reported. */
const LIMIT_MS = 90_000 + RUNS * 4000;

describe.each(backends())('the model, %s', (backend) => {
  let stage: Stage;
  const tally = new Map<string, number>();
  beforeAll(async () => {
    stage = await openStage(backend);
  });
  afterAll(async () => {
    await stage.close();
    if (MODEL_TALLY) console.table([...tally].toSorted(([a], [b]) => a.localeCompare(b)));
  });

  test('ends exactly the right sessions', { tags: 'long', timeout: LIMIT_MS + 60_000 }, async () => {
    let plays = 0;
    await fc.assert(
      fc.asyncProperty(commands, async (list) => {
        const play = await Play.begin(stage);
        for (const command of list) await run(play, command);
        await finish(play);
        plays++;
        for (const [what, count] of play.tally) tally.set(what, (tally.get(what) ?? 0) + count);
      }),
      {
        numRuns: RUNS,
        examples: [[COUNTED_AT_THE_IDLE_END]],
        interruptAfterTimeLimit: LIMIT_MS,
        ...(MODEL_SEED === undefined ? {} : { seed: Number(MODEL_SEED) }),
        ...(MODEL_PATH === undefined ? {} : { path: MODEL_PATH }),
      },
    );
    expect(plays).toBeGreaterThan(0);
  });
});

/**
 * Looks at everything once more, uses every refresh token there ever was, again at the end of the grace and half of
 * them after it, and reads the tables.
 */
async function finish(play: Play): Promise<void> {
  const { reference } = play;
  const look = () => run(play, { do: 'look', dice: reference.credentials.length, at: 0 });
  const wait = (seconds: number) => run(play, { do: 'wait', seconds, calm: false, at: 0 });
  await look();
  const tokens = [...reference.refreshTokens];
  for (const [i, token] of tokens.entries()) await spend(play, token, i);
  await wait(GRACE_SECONDS);
  for (const [i, token] of tokens.entries()) await spend(play, token, i + 1);
  await wait(1);
  for (const [i, token] of tokens.entries()) if (i % 2 === 0) await spend(play, token, i);
  await look();
  await compareIdleEnds(play);
  await compareRecords(play);
}
