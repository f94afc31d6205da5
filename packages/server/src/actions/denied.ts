import type { ProblemCode, ProblemMore } from '@curfew/protocol/errors';
import type { KeyScope } from '../domain/api-key.ts';

/** A valid request that a rule forbids, whichever route it came by. Nothing was changed. */
export class Denied extends Error {
  override name = 'Denied';
  readonly code: Extract<
    ProblemCode,
    'insufficient_scope' | 'login_too_old' | 'last_administrator' | 'last_admin_key'
  >;
  /** The scope that a key lacks for what it asked. */
  readonly scope: KeyScope | undefined;
  /** What the answer says of the reason. */
  readonly more: Pick<ProblemMore, 'field' | 'detail'>;
  constructor(code: Denied['code'], scope?: KeyScope, more: Denied['more'] = {}) {
    super(code);
    this.code = code;
    this.scope = scope;
    this.more = more;
  }
}
