/** At the end of a play: the tables against the reference. */
import { expect } from 'vitest';
import { audit as auditReader } from '../../src/cluster/follow/audit.ts';
import { marker } from '../../src/cluster/follow/marker.ts';
import { type Answer, SERVICE_KEY } from '../support.ts';
import type { Play } from './play.ts';

export async function compareRecords({ stage, reference, startPosition }: Play): Promise<void> {
  const { nodes, rows } = stage.place;
  for (const node of nodes) {
    await node.world.readers.catchUp(auditReader);
    await node.world.readers.catchUp(marker);
  }

  const written = await rows<{ id: string; active: boolean; reason: string | null; by: string | null }>(
    `select id, is_active as active, ended_reason as reason, split_part(ended_by, '/', 1) as by from user_sessions
     where id = any($1::uuid[]) order by id`,
    reference.sessions.map((one) => one.sid),
  );
  const bySid = new Map(reference.sessions.map((one) => [one.sid, one]));
  // The row of an expired session may say so or not yet; all others say exactly what happened.
  const certain = written.filter(({ id }) => {
    const session = bySid.get(id);
    return session && (session.ended !== null || reference.isAlive(session));
  });
  expect(certain, 'the rows of the sessions').toEqual(
    certain.map(({ id }) => {
      const ended = bySid.get(id)?.ended ?? null;
      return { id, active: ended === null, reason: ended?.reason ?? null, by: ended?.by ?? null };
    }),
  );
  expect(written.length).toBe(reference.sessions.length);

  const audit = await rows<{ type: string; user: number | null; reason: string | null }>(
    `select l.event_type as type, l.user_id as user, e.reason from logs l join events e on e.position = l.event_position
     where l.event_position > $1 order by l.event_position, l.user_id`,
    startPosition,
  );
  expect(audit, 'the audit view').toEqual(reference.audit);

  for (const user of reference.users) {
    const answer: Answer = await stage
      .node(0)
      .call('GET', `/v1/admin/sessions?user_id=${user.id}&ended=true&limit=1000`, { bearer: SERVICE_KEY });
    const shown = answer.json['sessions'] as { id: string; active: boolean }[];
    const own = reference.sessions.filter((one) => one.user === user);
    expect(new Map(shown.map((one) => [one.id, one.active])), 'what the administration shows').toEqual(
      new Map(own.map((one) => [one.sid, reference.isAlive(one)])),
    );
  }

  const faults = nodes.flatMap((node) => node.lines).filter((line) => line.includes('"level":"error"'));
  expect(faults).toEqual([]);
}
