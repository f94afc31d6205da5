import { PROBLEMS, type ProblemCode, problem } from '@curfew/protocol/errors';
import { z } from '@hono/zod-openapi';
import type { CallerRule } from '../../domain/caller-rule.ts';
import { ENDED_WHY_EXAMPLE, endedWhy } from './shapes.ts';

/** An answer of a row: its schema is the promise to clients, its example is shown in the page. */
export interface RowAnswer {
  description: string;
  content?: Record<
    string,
    { schema: z.ZodType; example?: unknown; examples?: Record<string, { value: unknown }> }
  >;
  headers?: z.ZodObject;
}

/** A JSON answer. */
export function json(description: string, schema: z.ZodType, example: unknown): RowAnswer {
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
    count: z.number().int().optional().describe('How many sessions would end.'),
    ended: endedWhy.optional(),
  })
  .openapi('Problem');

/** The problem answers of a row, by code; codes of one status share an answer. */
export function problems(...codes: ProblemCode[]): Record<number, RowAnswer> {
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

/** These answers, where "not authenticated" may say how the session ended. */
export function sayingWhy(answers: Record<number, RowAnswer>): Record<number, RowAnswer> {
  const problems = answers[401]?.content?.['application/problem+json'];
  if (!problems) throw new Error('the row has no answer 401');
  const ended = problem('not_authenticated', { ended: ENDED_WHY_EXAMPLE });
  const examples = { ...problems.examples, ended: { value: ended } };
  return {
    ...answers,
    401: {
      description: `${answers[401]?.description} If Curfew issued the credential, \`ended\` says how its session ended.`,
      content: { 'application/problem+json': { ...problems, examples } },
    },
  };
}

/**
 * The answers of a WebSocket's address: the upgrade, and the problems of a request without one.
 * @param description what the WebSocket carries
 */
export function webSocket(description: string, ...codes: ProblemCode[]): Record<number, RowAnswer> {
  return { 101: { description }, ...problems(...codes, 'upgrade_required') };
}

interface Body<Type extends string, S extends z.ZodType> {
  content: Record<Type, { schema: S; example: unknown }>;
  required: boolean;
}
export type JsonBody<S extends z.ZodType = z.ZodType> = Body<'application/json', S>;
export type FormBody<S extends z.ZodType = z.ZodType> = Body<'application/x-www-form-urlencoded', S>;

/** A JSON body that is required, or not. */
export function body<S extends z.ZodType>(schema: S, example: unknown, required = true): JsonBody<S> {
  return { content: { 'application/json': { schema, example } }, required };
}

/** The body of a form, which RFC 7662 and RFC 7009 require. Never for a row that accepts a cookie. */
export function form<S extends z.ZodType>(schema: S, example: unknown): FormBody<S> {
  return { content: { 'application/x-www-form-urlencoded': { schema, example } }, required: true };
}

/** One endpoint of the contract: `serveRow` enforces it, and the description is written from it. */
export interface Row {
  method: 'get' | 'post' | 'patch' | 'delete';
  /** Also any other method and any path below: a proxy may pass on those of the request that it asks about. */
  anyMethod?: true;
  path: string;
  /** Where another family has a row of the same method and path: the requests that this row answers. That other row answers the rest. */
  answersOnly?: { via: 'cookie' } | { member: string; is: string };
  /** Verb and noun: generated clients use it as a method name. */
  operationId: string;
  tags: string[];
  summary: string;
  description?: string;
  caller: CallerRule;
  request?: {
    params?: z.ZodObject;
    query?: z.ZodObject;
    body?: JsonBody | FormBody;
    /** The handler gets the raw parameters, because its contract has its own errors for them. */
    asWritten?: true;
  };
  responses: Record<number, RowAnswer>;
}

type InputPart<R, Name extends string> = R extends { request: Record<Name, infer S extends z.ZodType> }
  ? R extends { request: { asWritten: true } }
    ? { [Parameter in keyof z.input<S>]?: string }
    : z.output<S>
  : undefined;

/** The input of a row. */
export interface InputOf<R extends Row> {
  params: InputPart<R, 'params'>;
  query: InputPart<R, 'query'>;
  body: R extends { request: { body: Body<string, infer S> } } ? z.output<S> : undefined;
}
