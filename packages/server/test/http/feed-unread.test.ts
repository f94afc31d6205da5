/** A connected verifier that does not read: its unread bytes may not fill the node's memory. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { FEED_VERSION } from '@curfew/protocol/feed-messages';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { until } from '../races/node.ts';
import { hasPostgres } from '../services/fresh-database.ts';
import { openHandClock, passUntil, passWhile, timeOf } from '../services/hand-clock.ts';
import { withClient } from '../services/postgres.ts';
import { openAuthority, recordingLog, SERVICE_KEY } from '../support.ts';
import { follow, headers, logIn, startNode } from './following.ts';

const LEASE_MS = 1000;
/** More than this left unread, and a verifier is dropped. */
const MAX_UNREAD_BYTES = 8 * 1024 * 1024;
/** Half of it: more than the test itself allocates or frees. */
const SOME_BYTES = MAX_UNREAD_BYTES / 2;
/** One event makes so much of a message. */
const MESSAGE_BYTES = 1_600_000;

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

/** Bytes that this process holds, on their way to a socket or not: texts are in the heap, the rest in buffers. */
function held(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** One event of the log that goes to every verifier in a message of 1.5 megabytes; each time the same sessions. */
const endManySessions = (url: string): Promise<unknown> =>
  withClient(url, (client) =>
    client.query(
      `insert into events (at, type, scope, reason, actor, session_ids)
       select now(), 'sessions_ended', 'sessions', 'logout', 'service', array_agg(md5(i::text)::uuid)
       from generate_series(1, 40000) as i`,
    ),
  );

test.runIf(hasPostgres())(
  'a verifier with too much unread is dropped, waited out, and forgotten',
  {
    timeout: 90_000,
  },
  async () => {
    const clock = openHandClock();
    const { log, lines } = recordingLog();
    const { on, url } = await startNode(
      await openAuthority('postgres', { CURFEW_LEASE_MS: String(LEASE_MS) }, { log, system: timeOf(clock) }),
      { clock },
    );
    const service = { bearer: SERVICE_KEY };
    const verifiers = async (): Promise<number> =>
      Number(/^curfew_verifiers (\d+)/m.exec((await on.call('GET', '/metrics', service)).text)?.[1]);
    /** Of each verifier, how much it has left unread. */
    const unread = async (): Promise<number[]> =>
      (await on.call('GET', '/v1/admin/state', service)).json.verifiers.map(
        ({ unread_bytes: bytes }: { unread_bytes: number }) => bytes,
      );
    const reading = follow(url, clock);
    await passUntil(clock, 'the one that reads is fresh', () => reading.subscriber.isFresh());
    let seq = 0;
    const endMany = async (): Promise<void> => {
      seq++;
      await endManySessions(String(on.settings['DATABASE_URL']));
      // The node finds it when it looks at the log.
      await passUntil(clock, 'the one that reads has heard it', () =>
        reading.heard.some((message) => message.t === 'ending' && message.seq === seq),
      );
      reading.heard.length = 0;
    };
    const [one, other] = [await logIn(on), await logIn(on)];
    await endMany();
    const beforeBytes = held();

    // It has read the node's first message and reads no more, but continues to ask for renewals, so it is not silent.
    const deaf = new WebSocket(url, { headers });
    deaf.on('open', () => deaf.send(JSON.stringify({ t: 'hello', v: FEED_VERSION, replica: 'deaf' })));
    deaf.once('message', () => deaf.pause());
    deaf.on('error', () => undefined);
    let asked = 0;
    const stopAsking = clock.every(LEASE_MS / 20, () => {
      if (deaf.readyState === deaf.OPEN) deaf.send(JSON.stringify({ t: 'renew', n: ++asked }));
    });
    onTestFinished(() => {
      stopAsking();
      deaf.terminate();
    });
    await passUntil(clock, 'both follow', async () => (await verifiers()) === 2 && asked > 3);

    // The system's own buffers take some of it: how many messages fill them, and when, is not ours to say.
    const shown: number[] = [];
    for (let i = 0; i < 40 && (await verifiers()) === 2; i++) {
      shown.push(...(await unread()));
      await endMany();
    }
    expect(await verifiers()).toBe(1);
    expect(Math.max(...shown)).toBeGreaterThan(0);
    const dropped = lines.filter((line) => line.includes('disconnected a verifier that does not keep up'));
    expect(dropped).toHaveLength(1);
    const { unread: leftBytes } = JSON.parse(String(dropped[0]));
    expect(leftBytes).toBeGreaterThan(MAX_UNREAD_BYTES);
    expect(leftBytes).toBeLessThanOrEqual(MAX_UNREAD_BYTES + MESSAGE_BYTES);
    const first = await passWhile(clock, on.call('POST', '/v1/logout', { bearer: one.bearer }));
    expect(first.json).toMatchObject({ ended: 1, confirmed: true, acknowledged: 1, waited_out: 1 });
    const second = await on.call('POST', '/v1/logout', { bearer: other.bearer });
    expect(second.json).toMatchObject({ ended: 1, confirmed: true, acknowledged: 1, waited_out: 0 });
    expect(reading.subscriber.judge(other.seen)).toBe('ended');
    await until('its memory is free', async () => held() - beforeBytes < SOME_BYTES);
  },
);
