import type { Config } from '../../config.ts';
import type { Family } from './family.ts';
import type { Router } from './serve-families.ts';

const ABOUT = `Curfew is a session authority: login, refresh, "is this session alive?", and logout that is true everywhere when it answers.

Four API families (contracts 001 to 004) and the product’s own \`/v1\` share one set of sessions. Log in through one API and log out through any other.`;

/** OpenAPI 3.1, written from the rows that validate the requests. */
export function describeApi(
  router: Router,
  { issuer, publicPath }: Pick<Config, 'issuer' | 'publicPath'>,
  families: readonly Family[],
): ReturnType<Router['getOpenAPI31Document']> {
  return router.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Curfew',
      version: '0.1.0',
      description: ABOUT,
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    servers: [{ url: publicPath || '/', description: 'This server' }, { url: issuer }],
    tags: [
      { name: 'Sessions', description: "The product's own API." },
      { name: 'Administration', description: 'For sessions of administrators and for API keys.' },
      ...families.flatMap(({ tag }) => (tag === undefined ? [] : [{ name: tag }])),
      { name: 'OAuth', description: 'Standard OAuth endpoints, for back ends.' },
      { name: 'WebSockets', description: 'Send these requests with `Upgrade: websocket`.' },
      { name: 'Operation' },
    ],
  });
}

/** Declares the security schemes; once for a router. */
export function registerSecurity(router: Router, cookieName: string): void {
  const { openAPIRegistry: registry } = router;
  registry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    description: 'An access token (JWT or `<id>|<secret>`) or a session token (`sess_…`).',
  });
  registry.registerComponent('securitySchemes', 'cookie', {
    type: 'apiKey',
    in: 'cookie',
    name: cookieName,
    description: 'The session cookie. Requests that change something must also carry X-CSRF-Token.',
  });
  registry.registerComponent('securitySchemes', 'service', {
    type: 'http',
    scheme: 'bearer',
    description:
      'An API key (`curfew_ck_…` of an application, `curfew_ok_…` of an operator), or one of CURFEW_SERVICE_KEYS. A key without the scope that a request needs is answered 403 `insufficient_scope`.',
  });
}
