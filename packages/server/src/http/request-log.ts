import type { System } from '../system/system.ts';
import { Soon } from '../system/timers.ts';

const SUM_MS = 10_000;

/** One line of the system log about a request. */
interface Answered {
  request_id: string;
  method: string;
  path: string;
  status: number;
  ms: number;
  ip_address: string | null;
}

/**
 * Requests in the system log, one line each. Refused checks are counted, with one line for the sum: a client that goes on with
 * its credential after the logout would fill the log.
 */
export class RequestLog {
  readonly #system: System;
  readonly #sumMs: number;
  /** Unique without a random number for each request: the process, and a count. */
  readonly #process: string;
  #count = 0;
  #refused = 0;
  readonly #summing: Soon;

  constructor(system: System, sumMs: number = SUM_MS) {
    this.#system = system;
    this.#sumMs = sumMs;
    this.#summing = new Soon(system, () => this.sum());
    this.#process = system.randomBytes(4).toString('hex');
  }

  nextId(): string {
    return `${this.#process}-${(++this.#count).toString(36)}`;
  }

  answered(request: Answered): void {
    if (request.status === 401 && (request.path === '/v1/check' || request.path.startsWith('/v1/check/')))
      this.refusedCheck();
    else this.#system.log.info(request, 'request');
  }

  refusedCheck(): void {
    this.#refused++;
    this.#summing.in(this.#sumMs);
  }

  /** Writes the line about refusals since the last one. */
  sum(): void {
    this.#summing.callOff();
    if (this.#refused > 0) this.#system.log.info({ checks: this.#refused }, 'checks were refused');
    this.#refused = 0;
  }
}
