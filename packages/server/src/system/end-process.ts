import type { Logger } from 'pino';

/** Ends the process at once, whatever is under way: it must not go on. What the log has is written out (log-output.ts). */
export function endProcess(log: Logger, reason: Error): never {
  log.fatal({ err: reason }, reason.message);
  process.exit(1);
}
