import { type CutTarget, keysOfTarget } from './revoke.ts';
import { type Queryable, statement } from './statement.ts';

const unmarked = statement<
  [keys: string[], userIds: number[] | null, clientId: string | null, deviceId: string | null],
  { count: number }
>(
  'count_unmarked',
  `select count(*) as count from user_sessions s
   where s.is_active and s.born < (select max(c.position) from cuts c where c.key = any($1::text[]))
     and ($2::bigint[] is null or s.user_id = any($2)) and ($3::text is null or s.client_id = $3)
     and ($4::text is null or s.device_id = $4)`,
);

/** The number of rows that a cut has ended and that are not marked yet. For display only. */
export async function countUnmarked(on: Queryable, target: CutTarget): Promise<number> {
  const userIds = target.scope === 'users' ? target.userIds : 'userId' in target ? [target.userId] : null;
  const clientId = target.scope === 'client' ? target.clientId : null;
  const deviceId = target.scope === 'device' ? target.deviceId : null;
  return (await unmarked.run(on, keysOfTarget(target), userIds, clientId, deviceId))[0]?.count ?? 0;
}
