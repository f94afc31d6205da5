import { OpenAPIHono } from '@hono/zod-openapi';
import { presented } from '../callers.ts';
import type { Call, HonoEnvironment } from '../environment.ts';
import { jsonMember } from './body.ts';
import type { Endpoint, Family } from './family.ts';
import { operationOf } from './operation.ts';
import type { Row } from './row.ts';

export type Router = OpenAPIHono<HonoEnvironment>;

/** @param getPath the path of a request as the routes know it */
export const createRouter = (getPath?: (request: Request) => string): Router =>
  new OpenAPIHono<HonoEnvironment>(getPath && { getPath });

type Served = Endpoint & { family: Family };

/** Registers the rows of all families in the description, and their handlers at their paths. */
export function serveFamilies(router: Router, families: readonly Family[]): void {
  const all = families.flatMap((family) => family.endpoints.map((one): Served => ({ ...one, family })));
  for (const [address, sharing] of Map.groupBy(all, ({ row }) => `${row.method} ${row.path}`)) {
    const [first, second] = sharing.filter(({ row }) => !row.answersOnly);
    if (!first || second) throw new Error(`${address}: exactly one of its rows must be without answersOnly`);
    const others = sharing.filter((one) => one !== first);
    const { row } = first;
    router.openAPIRegistry.registerPath(operationOf([row, ...others.map((one) => one.row)]));
    const handler =
      others.length === 0
        ? (c: Call): Promise<Response> => first.answer(c, first.family)
        : async (c: Call): Promise<Response> => {
            for (const one of others) if (await isFor(one.row, c)) return one.answer(c, one.family);
            return first.answer(c, first.family);
          };
    const path = row.path.replaceAll(/\/\{(\w+)\}/g, '/:$1');
    if (row.anyMethod) for (const one of [path, `${path}/*`]) router.all(one, handler);
    else router.on(row.method.toUpperCase(), path, handler);
  }
}

/** Whether a request is one of those that a row answers only. */
async function isFor({ answersOnly }: Row, c: Call): Promise<boolean> {
  if (!answersOnly) return false;
  if ('via' in answersOnly) return presented(c).via === answersOnly.via;
  return (await jsonMember(c, answersOnly.member)) === answersOnly.is;
}
