import { type Queryable, statement } from './statement.ts';

const known = statement<[id: string], { id: string }>(
  'known_tenant',
  `select id from tenants where id = $1`,
  'ending',
);

/** Whether there is such a tenant. */
export async function isTenant(on: Queryable, id: string): Promise<boolean> {
  return (await known.run(on, id)).length > 0;
}
