import { z } from '@hono/zod-openapi';
import { NOBODY } from '../../domain/caller-rule.ts';
import { json } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';

const address = z.string();
const metadata = z.object({
  issuer: address,
  jwks_uri: address,
  introspection_endpoint: address,
  introspection_endpoint_auth_methods_supported: z.array(z.string()),
  revocation_endpoint: address,
  revocation_endpoint_auth_methods_supported: z.array(z.string()),
  response_types_supported: z.array(z.string()),
  grant_types_supported: z.array(z.string()),
  service_documentation: address,
});

/** @param issuer without a slash at the end */
const metadataOf = (issuer: string): z.output<typeof metadata> => ({
  issuer,
  jwks_uri: `${issuer}/.well-known/jwks.json`,
  introspection_endpoint: `${issuer}/oauth/introspect`,
  // A name from the registry of access token types: the key comes as a bearer token.
  introspection_endpoint_auth_methods_supported: ['Bearer'],
  revocation_endpoint: `${issuer}/oauth/revoke`,
  revocation_endpoint_auth_methods_supported: ['none'],
  // There is no authorization endpoint. Without these two lists a reader would have to assume one.
  response_types_supported: [],
  grant_types_supported: [],
  service_documentation: `${issuer}/docs`,
});

export const getMetadata = serveRow(
  {
    method: 'get',
    path: '/.well-known/oauth-authorization-server',
    operationId: 'getAuthorizationServerMetadata',
    tags: ['OAuth'],
    summary: 'Authorization server metadata (RFC 8414)',
    description:
      'The OAuth endpoints that exist. If the issuer has a path, the same answer is at this address followed by that path (section 3.1). `revocation_endpoint_auth_methods_supported` names what client libraries can send; a back end may also send its key as a bearer token.',
    caller: NOBODY,
    responses: { 200: json('The metadata.', metadata, metadataOf('https://auth.example.com')) },
  },
  ({ c, world }) => c.json(metadataOf(world.config.issuer), 200, { 'cache-control': 'public, max-age=300' }),
);
