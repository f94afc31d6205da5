import type { ApiKeyChange, ApiKeyView } from '@curfew/protocol/wire/api-key';
import { readActor } from '../domain/actor.ts';
import type { ApiKeyRecord } from '../store/issued-keys.ts';
import { logoutView } from './logout-view.ts';
import type { Settled } from './settle.ts';

/** An API key as the administration shows it. */
export function apiKeyView(key: ApiKeyRecord): ApiKeyView {
  const { created_at, expires_at, last_used_at, revoked_at, created_by, revoked_by, ...rest } = key;
  return {
    ...rest,
    created_at: created_at.toISOString(),
    created_by: readActor(created_by).who,
    expires_at: expires_at?.toISOString() ?? null,
    last_used_at: last_used_at?.toISOString() ?? null,
    revoked_at: revoked_at?.toISOString() ?? null,
    revoked_by: revoked_by === null ? null : readActor(revoked_by).who,
  };
}

/** A key that was created or revoked. @param ms from the request to the answer */
export function apiKeyChangeView(key: ApiKeyRecord, settled: Settled, ms: number): ApiKeyChange {
  const { ended: _ended, more: _more, ...propagation } = logoutView(settled, ms);
  return { key: apiKeyView(key), ...propagation };
}
