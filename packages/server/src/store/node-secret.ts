import { type Queryable, statement } from './statement.ts';

const make = statement<[secret: Buffer], never>(
  'make_node_secret',
  `insert into node_secrets (secret) values ($1) on conflict do nothing`,
);

const read = statement<[], { secret: Buffer }>('node_secret', `select secret from node_secrets`);

/**
 * The secret for the nodes' MACs where no key is set; created if there is none. Row security hides it from roles that may not
 * write sessions.
 */
export async function readNodeSecret(on: Queryable, fresh: Buffer): Promise<Buffer> {
  const [known] = await read.run(on);
  if (known) return known.secret;
  await make.run(on, fresh);
  const [made] = await read.run(on);
  if (!made)
    throw new Error('cannot read the secret of the nodes: this database role may not write to the log');
  return made.secret;
}
