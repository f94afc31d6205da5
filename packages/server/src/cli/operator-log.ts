import pino, { type Logger } from 'pino';
import type { Config } from '../config.ts';
import { createLog } from '../system/log.ts';
import type { Streams } from './terminal.ts';

/** A command's log: on standard error, because standard output is the answer, and only errors unless LOG_LEVEL asks for more. */
export function operatorLog(config: Config, { stderr }: Streams, explicitLevel = false): Logger {
  return createLog(
    explicitLevel ? config.logLevel : 'error',
    stderr.fd === undefined ? stderr : pino.destination({ dest: stderr.fd, sync: true }),
  );
}
