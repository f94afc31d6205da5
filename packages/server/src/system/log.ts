import pino, { type DestinationStream, type Logger } from 'pino';
import { openLogOutput } from './log-output.ts';

/** Paths that can hold a secret in a log line. The second line of defence: no call logs a body, a header or a query in the first place. */
const SECRET_PATHS = [
  'password',
  'current_password',
  'new_password',
  'access_token',
  'refresh_token',
  'session_token',
  'sessionToken',
  'csrf_token',
  'authorization',
  'cookie',
  'sessionId',
  'secret',
].flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

/** Text in error messages that looks like a credential: JWT, `sess_…`, `<id>|<secret>`, `rt_…`, `cs_…`, an API key. */
const CREDENTIALS =
  /eyJ[\w-]+\.[\w-]+\.[\w-]*|(?:sess|rt|cs|svc|curfew_[co]k)_[\w-]{16,}|\b\d+(?:\||%7C)[\w-]{16,}|(?<=\/\/[^/\s:@]*:)(?!PASSWORD@)[^@\s/]+(?=@)/gi;

/** Returns the text without credentials. */
export function redact(text: string): string {
  return text.replace(CREDENTIALS, '[redacted]');
}

export function createLog(level: string, destination?: DestinationStream): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_PATHS, censor: '[redacted]' },
      serializers: {
        err: (err: unknown) =>
          err instanceof Error
            ? {
                name: err.name,
                message: redact(err.message),
                ...('code' in err ? { code: err.code } : {}),
                stack: redact(err.stack ?? ''),
              }
            : { message: redact(String(err)) },
      },
    },
    destination ?? (standardOutput ??= openLogOutput(1)),
  );
}

/** One for the process, even with several authorities in it. */
let standardOutput: DestinationStream | undefined;
