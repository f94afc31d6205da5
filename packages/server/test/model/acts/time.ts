/** Time that passes, to the edges of lifetimes. */
import { expect } from 'vitest';
import type { Of } from '../commands.ts';
import { IDLE_SLACK_MS } from '../promised.ts';
import { checkQuietly } from '../look.ts';
import type { Play } from '../play.ts';

export async function wait(play: Play, { seconds, calm }: Of<'wait'>): Promise<void> {
  await advance(play, seconds);
  if (calm) await play.stage.calm();
}

async function advance(play: Play, seconds: number): Promise<void> {
  await compareIdleEnds(play);
  play.stage.advance(seconds);
  play.reference.now = play.stage.now();
}

/** A credential in memory must not be accepted beyond its end: asked a second before it. */
export async function edge(play: Play, { who, end }: Of<'edge'>): Promise<void> {
  const { stage, reference } = play;
  const credential = play.credential(who, null);
  if (!credential) return;
  const { session, expiresAt } = credential;
  const endsAt = { own: expiresAt, idle: session.idleEndsAt + IDLE_SLACK_MS, absolute: session.endsAt }[end];
  const seconds = (endsAt - reference.now) / 1000 - 1;
  if (seconds > 0) await advance(play, seconds);
  await stage.calm();
  for (const at of [0, 1]) await checkQuietly(stage, reference, credential, at);
  await advance(play, 1);
  for (const at of [0, 1]) await checkQuietly(stage, reference, credential, at);
}

/** Writes activity: the rows then agree with the reference. */
export async function compareIdleEnds(play: Play): Promise<void> {
  await play.stage.flushActivity();
  const live = play.reference.liveSessions();
  const rows = await play.stage.place.rows<{ id: string; idle_expires_at: Date }>(
    'select id, idle_expires_at from user_sessions where id = any($1::uuid[])',
    live.map((one) => one.sid),
  );
  const written = new Map(rows.map((row) => [row.id, row.idle_expires_at.getTime()]));
  expect(
    live.map((one) => [one.sid, written.get(one.sid)]),
    'the idle ends',
  ).toEqual(live.map((one) => [one.sid, one.idleEndsAt]));
}
