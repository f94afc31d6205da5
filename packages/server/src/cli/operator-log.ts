import pino, { type Logger } from 'pino';
import type { Config } from '../config.ts';
import { createLog } from '../system/log.ts';

/**
 * The log of a command: on standard error, because standard output is the answer, and only of failures unless
 * LOG_LEVEL asks for more.
 */
export function operatorLog(config: Config, explicitLevel: boolean): Logger {
  return createLog(explicitLevel ? config.logLevel : 'error', pino.destination({ dest: 2, sync: true }));
}
