import type { ProblemCode } from '@curfew/protocol/errors';

/** A valid request that a rule forbids, whichever route it came by. Nothing was changed. */
export class Denied extends Error {
  override name = 'Denied';
  readonly code: Extract<
    ProblemCode,
    'insufficient_scope' | 'login_too_old' | 'last_administrator' | 'last_admin_key'
  >;
  constructor(code: Denied['code']) {
    super(code);
    this.code = code;
  }
}
