import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { uuidv7 } from 'uuidv7';
import type { PasswordHasher } from './passwords.ts';
import type { System } from './system.ts';

/** The real outside world. */
export function realSystem(log: Logger, passwords: PasswordHasher): System {
  return {
    now: () => new Date(),
    monotonicMs: () => performance.now(),
    randomBytes,
    uuid: uuidv7,
    passwords,
    log,
  };
}
