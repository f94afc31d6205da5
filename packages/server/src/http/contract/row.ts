import { PROBLEMS, type ProblemCode, problem } from '@curfew/protocol/errors';
import { createRoute, type RouteConfig, z } from '@hono/zod-openapi';

/** An answer of a row: its schema is what clients are promised, its example is shown in the page. */
export interface Answer {
  description: string;
  content?: Record<
    string,
    { schema: z.ZodType; example?: unknown; examples?: Record<string, { value: unknown }> }
  >;
  headers?: z.ZodObject;
}

/** A JSON answer. */
export function json(description: string, schema: z.ZodType, example: unknown): Answer {
  return { description, content: { 'application/json': { schema, example } } };
}

const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    code: z.enum(Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]]),
    detail: z.string().optional(),
    field: z.string().optional().describe('The input at fault.'),
    count: z.number().int().optional().describe('What would be ended.'),
  })
  .openapi('Problem');

/** The problem answers of a row, by code; those of one status stand together. */
export function problems(...codes: ProblemCode[]): Record<number, Answer> {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of codes) {
    const { status } = PROBLEMS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, those]) => [
      status,
      {
        description: those.map((code) => PROBLEMS[code].title).join(' Or: '),
        content: {
          'application/problem+json': {
            schema: problemSchema,
            examples: Object.fromEntries(those.map((code) => [code, { value: problem(code) }])),
          },
        },
      },
    ]),
  );
}

/** A JSON body that is required, or not. */
export function body<S extends z.ZodType>(
  schema: S,
  example: unknown,
  required = true,
): { content: { 'application/json': { schema: S; example: unknown } }; required: boolean } {
  return { content: { 'application/json': { schema, example } }, required };
}

/** A row of the contract: method, path, who may call, input, every answer. */
export function row<R extends RouteConfig>(route: R): R & { getRoutingPath(): string } {
  return createRoute(route as R & { path: string }) as R & { getRoutingPath(): string };
}

/** Who may call, as OpenAPI security requirements. */
export const SESSION = [{ bearer: [] }, { cookie: [] }];
export const BEARER = [{ bearer: [] }];
export const ADMINISTRATOR = [{ bearer: [] }, { cookie: [] }, { service: [] }];
export const SERVICE = [{ service: [] }];
