import type { Logger } from 'pino';

/** Ends the process at once, because it must not go on. The log is flushed (log-output.ts). */
export function endProcess(log: Logger, reason: Error): never {
  log.fatal({ err: reason }, reason.message);
  process.exit(1);
}
