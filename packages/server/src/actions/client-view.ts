import type { ClientView } from '@curfew/protocol/wire/client';
import { type ClientRecord, isBuiltIn } from '../domain/client-terms.ts';

/** A client as the administration shows it. */
export const clientView = (client: ClientRecord): ClientView => ({
  client_id: client.clientId,
  name: client.name,
  audience: client.audience,
  algorithm: client.algorithm,
  idle_seconds: client.idleSeconds,
  absolute_seconds: client.absoluteSeconds,
  access_token_seconds: client.accessTokenSeconds,
  opaque_access_seconds: client.opaqueAccessSeconds,
  grant_types: [...client.grantTypes],
  external_issuers: [...client.externalIssuers],
  built_in: isBuiltIn(client.clientId),
  created_at: client.createdAt.toISOString(),
  disabled_at: client.disabledAt?.toISOString() ?? null,
});
