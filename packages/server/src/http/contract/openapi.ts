import type { Family } from './family.ts';
import type { Router } from './serve-row.ts';

const ABOUT = `Curfew is a session authority: login, refresh, "is this session alive?", and logout that is true everywhere when it answers.

Four API families stand side by side over one set of sessions (contracts 001 to 004), beside the product's own \`/v1\`. Log in through any, log out through any other.`;

/** OpenAPI 3.1, written from the rows that validate the requests. */
export function describeApi(
  router: Router,
  server: string,
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
    servers: [{ url: '/', description: 'This server' }, { url: server }],
    tags: [
      { name: 'Sessions', description: "The product's own API." },
      { name: 'Administration', description: 'For an administrator’s session or a service key.' },
      ...families.flatMap(({ tag }) => (tag === undefined ? [] : [{ name: tag }])),
      { name: 'OAuth', description: 'The standard’s own endpoints, for back ends.' },
      { name: 'WebSockets', description: 'Asked for with `Upgrade: websocket`.' },
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
    description: 'The session cookie; requests that change something also carry X-CSRF-Token.',
  });
  registry.registerComponent('securitySchemes', 'service', {
    type: 'http',
    scheme: 'bearer',
    description: 'A service key (CURFEW_SERVICE_KEYS).',
  });
}
