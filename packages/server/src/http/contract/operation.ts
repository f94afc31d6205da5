import { type RouteConfig, z } from '@hono/zod-openapi';
import { schemesOf } from '../../domain/caller-rule.ts';
import type { RowAnswer, JsonBody, Row } from './row.ts';

/** The operation of an address in the description. Rows that share the address become one, because OpenAPI allows no second. */
export function operationOf(rows: readonly [Row, ...Row[]]): RouteConfig {
  const [{ method, path, operationId, summary, request, responses }] = rows;
  const security = distinct(rows.flatMap(({ caller }) => schemesOf(caller)));
  const description = rows.flatMap((row) => row.description ?? []).join(' ');
  const isShared = rows.length > 1;
  return {
    method,
    path,
    operationId,
    tags: distinct(rows.flatMap(({ tags }) => tags)),
    summary,
    ...(description === '' ? {} : { description }),
    ...(request ? { request: isShared ? requestOf(rows) : request } : {}),
    responses: isShared ? answersOf(rows) : responses,
    ...(security.length > 0 ? { security: security.map((scheme) => ({ [scheme]: [] })) } : {}),
  };
}

const distinct = <T>(values: T[]): T[] => [...new Set(values)];

/** The query parameters of all rows, and their bodies, told apart by the member that chooses the row. */
function requestOf(rows: readonly Row[]): NonNullable<RouteConfig['request']> {
  const query = z.object(Object.assign({}, ...rows.map(({ request }) => request?.query?.shape)));
  const member = rows.flatMap(({ answersOnly: only }) => (only && 'member' in only ? only.member : []))[0];
  if (member === undefined) return { query };
  const contents = rows.flatMap(
    ({ request }) => (request?.body as JsonBody | undefined)?.content['application/json'] ?? [],
  );
  const schema = z.discriminatedUnion(member, contents.map((one) => one.schema) as [z.ZodObject]);
  return {
    query,
    body: { required: true, content: { 'application/json': { schema, example: contents[0]?.example } } },
  };
}

function answersOf(rows: readonly Row[]): Record<number, RowAnswer> {
  const statuses = distinct(rows.flatMap(({ responses }) => Object.keys(responses).map(Number)));
  return Object.fromEntries(statuses.map((status) => [status, answerOf(rows, status)]));
}

/** The answers of these rows with a status: the union of their schemas, with an example of each. */
function answerOf(rows: readonly Row[], status: number): RowAnswer {
  const named = new Map<RowAnswer, string>();
  for (const { responses, operationId } of rows)
    if (responses[status]) named.set(responses[status], operationId);
  const [first, ...others] = named.keys();
  if (first && others.length === 0) return first;
  const bodies = [...named].flatMap(([{ content }, name]) =>
    Object.entries(content ?? {}).map(([type, body]) => ({ type, name, ...body })),
  );
  const byType = Map.groupBy(bodies, ({ type }) => type);
  return {
    description: distinct([...named.keys()].map((one) => one.description)).join(' '),
    content: Object.fromEntries(
      [...byType].map(([type, parts]) => [
        type,
        {
          schema: z.union(parts.map(({ schema }) => schema)),
          examples: Object.fromEntries(parts.map(({ name, example }) => [name, { value: example }])),
        },
      ]),
    ),
  };
}
