import { type Problem, PROBLEMS } from '@curfew/protocol/errors';
import { z } from 'zod';
import { Failed, CommandRefused } from './declare.ts';
import { LAST_ADMIN_KEY, LAST_ADMINISTRATOR } from './operator.ts';
import { programVersion } from './version.ts';

/* Requests to a running server, and its answers. */

/** Longer than a logout can take: the lease, which may be a minute, and one commit. */
const TIMEOUT_MS = 90_000;

/** A streaming server sends something every fifteen seconds. */
const SILENT_MS = 45_000;
export const FOREIGN = 'this version does not understand the answer of the server. Is it a Curfew server?';

/** An answer of the server: 2xx with its body, or a problem. */
export type ApiReply = { ok: true; body: unknown } | RefusedReply;

interface RefusedReply {
  ok: false;
  status: number;
  problem: Partial<Problem>;
  /** The scope that the key lacks. */
  scope: string | null;
}

export type AskServer = (method: string, path: string, body?: unknown) => Promise<ApiReply>;

/** Whether a server with that key answers there. */
export async function answersTo(url: string, serviceKey: string, timeoutMs: number): Promise<boolean> {
  try {
    return (await request(url, serviceKey, 'GET', '/v1/admin/keys', undefined, timeoutMs)).ok;
  } catch {
    // No server, or not HTTP: no.
    return false;
  }
}

export async function request(
  url: string,
  serviceKey: string,
  method: string,
  path: string,
  body: unknown,
  timeoutMs: number = TIMEOUT_MS,
): Promise<ApiReply> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(`${baseOf(url)}${path}`, {
      method,
      headers: {
        ...ownHeaders(serviceKey),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      // The key is for this server only: redirects are not followed.
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    text = await response.text();
  } catch (error) {
    throw unreachable(url, error);
  }
  return replyOf(response, text);
}

/** Server-sent events (HTML Standard, section 9.2.6) as Curfew writes them: one line for each field. */
export async function* stream(
  url: string,
  serviceKey: string,
  path: string,
  stop: AbortSignal,
): AsyncGenerator<{ id: string; data: string | null }> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(new DOMException('', 'TimeoutError')), SILENT_MS);
  try {
    const response = await fetch(`${baseOf(url)}${path}`, {
      headers: { ...ownHeaders(serviceKey), accept: 'text/event-stream' },
      redirect: 'error',
      signal: AbortSignal.any([stop, silence.signal]),
    });
    if (!response.ok) read(replyOf(response, await response.text()), z.never());
    if (!response.headers.get('content-type')?.startsWith('text/event-stream') || !response.body)
      throw new Failed(FOREIGN);
    let text = '';
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      timer.refresh();
      const messages = `${text}${chunk}`.split('\n\n');
      text = messages.pop() ?? '';
      for (const message of messages) {
        const field = (name: string): string | null =>
          new RegExp(`^${name}: (.*)$`, 'm').exec(message)?.[1] ?? null;
        const id = field('id');
        if (id === null) throw new Failed(FOREIGN);
        yield { id, data: field('data') };
      }
    }
  } catch (error) {
    if (stop.aborted) return;
    throw error instanceof Failed || error instanceof CommandRefused ? error : unreachable(url, error);
  } finally {
    clearTimeout(timer);
  }
}

const baseOf = (url: string): string => url.replace(/\/$/, '');

const ownHeaders = (serviceKey: string): Record<string, string> => ({
  authorization: `Bearer ${serviceKey}`,
  'user-agent': `curfew/${programVersion()}`,
});

const unreachable = (url: string, error: unknown): Failed =>
  new Failed(`the server at ${baseOf(url)} cannot be reached: ${reasonOf(error)}.`);

function replyOf(response: Response, text: string): ApiReply {
  const parsed = parseJson(text);
  if (response.ok) return { ok: true, body: parsed };
  return {
    ok: false,
    status: response.status,
    problem: (parsed ?? {}) as Partial<Problem>,
    scope: lackedScope(response.headers.get('www-authenticate')),
  };
}

/** The scope that a refusal names (RFC 6750 section 3). */
export const lackedScope = (challenge: string | null | undefined): string | null =>
  /\bscope="([a-z:]{1,40})"/.exec(challenge ?? '')?.[1] ?? null;

export const lacksScope = (scope: string): string =>
  `the API key in CURFEW_SERVICE_KEY lacks the scope ${scope}. Set it to an API key with this scope.`;

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'no answer';
  if (error.name === 'TimeoutError') return 'no answer in time';
  const { cause } = error;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (code === 'ECONNREFUSED') return 'nothing listens at that address';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'no such host';
  return cause instanceof Error && cause.message !== '' ? cause.message : error.message;
}

export const isProblem = (reply: ApiReply, code: keyof typeof PROBLEMS): boolean =>
  !reply.ok && reply.problem.code === code;

/** Returns the body of a success. @throws CommandRefused or Failed with the server's sentence otherwise */
export function read<S extends z.ZodType>(reply: ApiReply, schema: S): z.infer<S> {
  if (!reply.ok) throw refusalOf(reply);
  const parsed = schema.safeParse(reply.body);
  if (!parsed.success) throw new Failed(FOREIGN);
  return parsed.data;
}

export function wasFound(reply: ApiReply): boolean {
  if (isProblem(reply, 'not_found')) return false;
  read(reply, z.unknown());
  return true;
}

function refusalOf({ status, problem: { code, title, detail, field }, scope }: RefusedReply): Error {
  if (code === 'not_authenticated')
    return new Failed(
      'the server does not accept this CURFEW_SERVICE_KEY. Set it to an API key of that server with the scope admin.',
    );
  if (code === undefined) return new Failed(`the server answered ${status}. Is it a Curfew server?`);
  if (scope !== null) return new CommandRefused(lacksScope(scope));
  if (code === 'last_administrator') return new CommandRefused(LAST_ADMINISTRATOR);
  if (code === 'last_admin_key') return new CommandRefused(LAST_ADMIN_KEY);
  const sentence = detail ?? title ?? code;
  if (code === 'invalid_request')
    return new CommandRefused(
      field === 'password' ? sentence.replace(/^password:/, 'the password') + '.' : `${sentence}.`,
    );
  return status < 500 ? new CommandRefused(sentence) : new Failed(sentence);
}

export function parameters(values: Record<string, string | number | boolean | null>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value !== null) query.set(name, String(value));
  return query.toString();
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
