import { PROBLEMS, type ProblemCode, problem } from '@curfew/protocol/errors';
import { createRoute, type RouteConfig, z } from '@hono/zod-openapi';
import { ENDED_WHY_EXAMPLE, endedWhy } from './shapes.ts';

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
    ended: endedWhy.optional(),
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

/** The same answers, of which "not authenticated" may say how the session ended. */
export function sayingWhy(answers: Record<number, Answer>): Record<number, Answer> {
  const problems = answers[401]?.content?.['application/problem+json'];
  if (!problems) throw new Error('the row has no answer 401');
  const ended = problem('not_authenticated', { ended: ENDED_WHY_EXAMPLE });
  const examples = { ...problems.examples, ended: { value: ended } };
  return {
    ...answers,
    401: {
      description: `${answers[401]?.description} With \`ended\`, how it ended: where the credential is one of ours.`,
      content: { 'application/problem+json': { ...problems, examples } },
    },
  };
}

/**
 * The answers of an address that is a WebSocket: the upgrade, and the problems of a request that gets none.
 * @param description what comes over the WebSocket
 */
export function webSocket(description: string, ...codes: ProblemCode[]): Record<number, Answer> {
  return { 101: { description }, ...problems(...codes, 'upgrade_required') };
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
