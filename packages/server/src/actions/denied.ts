import type { ProblemCode } from '@curfew/protocol/errors';

/** An action that is understood and not done, by a rule that holds whatever route leads to it. Nothing was changed. */
export class Denied extends Error {
  override name = 'Denied';
  readonly code: Extract<ProblemCode, 'login_too_old' | 'last_administrator'>;
  constructor(code: Denied['code']) {
    super(code);
    this.code = code;
  }
}
