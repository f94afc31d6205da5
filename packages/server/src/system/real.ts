import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { uuidv7 } from 'uuidv7';
import { createSharedClock } from './shared-clock.ts';
import type { PasswordHasher } from './password-hashing.ts';
import { NO_PLACES, type Places } from './places.ts';
import type { System } from './system.ts';
import { realTimers } from './timers.ts';

export function realSystem(log: Logger, passwords: PasswordHasher, places: Places = NO_PLACES): System {
  const monotonicMs = (): number => performance.now();
  const clock = createSharedClock(() => Date.now(), monotonicMs);
  return {
    ...realTimers,
    now: () => clock.now(),
    setNow: (...heard) => clock.set(...heard),
    wallMs: () => Date.now(),
    monotonicMs,
    randomBytes,
    uuid: uuidv7,
    passwords,
    places,
    log,
  };
}
