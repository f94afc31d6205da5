import { cors } from 'hono/cors';
import { routePath } from 'hono/route';
import type { World } from '../world/world.ts';
import { createAddressReader } from './address.ts';
import { createSystemState } from '../cluster/state/system-state.ts';
import { countInBackground } from '../cluster/state/background-count.ts';
import { countLiveByClient } from '../store/live-count.ts';
import type { Family } from './contract/family.ts';
import { FAMILIES } from './families.ts';
import type { Call, Site } from './environment.ts';
import { SECURITY_HEADERS, STRICT_TRANSPORT } from './headers.ts';
import type { Metrics } from './operator/metrics.ts';
import { OpenStreams } from './admin/open-streams.ts';
import { servePages } from './pages/serve.ts';
import { describeApi, registerSecurity } from './contract/openapi.ts';
import { serveDocsFiles } from './operator/docs-files.ts';
import { RequestLog } from './request-log.ts';
import { matches, pathInside } from './mount.ts';
import { faultOf, refuse } from './respond.ts';
import { createRouter, type Router, serveFamilies } from './contract/serve-families.ts';
import { redact } from '../system/log.ts';

/** Longer than any of Curfew's addresses with its parameters. */
const MAX_URL_LENGTH = 8192;

/** The HTTP side: middleware for every request, then the families' rows. */
export function createApp(
  world: World,
  metrics: Metrics,
  streams: OpenStreams = new OpenStreams(),
  requests: RequestLog = new RequestLog(world.system),
  families: readonly Family[] = FAMILIES,
): Router {
  const { config, system } = world;
  const router = createRouter((request) => pathInside(request, config));
  if (!config.cookie.secure)
    system.log.info(
      'plain HTTP on loopback, for development: the session cookie has no __Host- prefix and no Secure',
    );

  const site: Site = {
    metrics,
    streams,
    systemState: createSystemState(world),
    countSessions: countInBackground(system, (now) => countLiveByClient(world.database, now)),
    describe: () => describeApi(router, config, families),
  };
  meetRequests(router, world, site, requests);
  meetPages(router, world);
  registerSecurity(router, config.cookie.name);
  serveFamilies(router, families);
  serveDocsFiles(router, config.publicPath);
  // HAProxy's health check without an address: a 405 would take the node out.
  router.options('/', (c) => c.body(null, 204, { allow: 'GET, HEAD, OPTIONS' }));
  servePages(router, world);

  router.notFound((c) => {
    const allowed = methodsAt(router, c.req.path);
    // An address that answers OPTIONS only is no address to other methods.
    return allowed.some((method) => method !== 'OPTIONS')
      ? refuse(c as Call, 'method_not_allowed', {}, { allow: allowed.join(', ') })
      : refuse(c as Call, 'not_found');
  });
  // The last resort: the answer says only that something failed.
  router.onError((error, c) => {
    faultOf(c as Call, error);
    return refuse(c as Call, 'internal');
  });
  return router;
}

/** For every request: its id, its address, security headers, log and metrics. */
function meetRequests(router: Router, world: World, site: Site, requests: RequestLog): void {
  const { config, system } = world;
  const addressOf = createAddressReader(config.trustedProxies);
  const securityHeaders = config.cookie.secure ? [...SECURITY_HEADERS, STRICT_TRANSPORT] : SECURITY_HEADERS;
  router.use(async (c, next) => {
    const startedMs = system.monotonicMs();
    c.set('world', world);
    c.set('site', site);
    c.set('startedMs', startedMs);
    c.set('requestId', requests.nextId());
    c.set(
      'ipAddress',
      addressOf(c.env?.incoming?.socket.remoteAddress ?? c.env?.address, {
        xForwardedFor: c.req.header('x-forwarded-for') ?? null,
        forwarded: c.req.header('forwarded') ?? null,
      }),
    );
    if (c.req.url.length > MAX_URL_LENGTH && !isAppended(c.req.path)) c.res = refuse(c, 'url_too_long');
    else await next();
    const { headers, status } = c.res;
    for (const [name, value] of securityHeaders) if (!headers.has(name)) headers.set(name, value);
    headers.set('X-Request-Id', c.get('requestId'));
    if (c.env?.rehearsal) return;
    const ms = system.monotonicMs() - startedMs;
    const route = routePath(c, -1);
    site.metrics.request(c.req.method, route, status, ms / 1000);
    // The path, never the query, which holds contract 002's session token. A client may put one into the path by mistake.
    requests.answered({
      request_id: c.get('requestId'),
      method: c.req.method,
      path: redact(c.req.path),
      status,
      ms: Math.round(ms * 100) / 100,
      ip_address: c.get('ipAddress'),
    });
  });
}

/** CORS for pages of the trusted origins. */
function meetPages(router: Router, { config }: World): void {
  const crossOrigin = cors({
    origin: (origin) => (config.trustedOrigins.has(origin) ? origin : null),
    credentials: true,
    allowHeaders: ['Authorization', 'Content-Type', 'X-CSRF-Token'],
    allowMethods: ['GET', 'POST', 'PATCH', 'DELETE'],
    exposeHeaders: ['Curfew-Propagation', 'Retry-After', 'X-Request-Id'],
    maxAge: 600,
  });
  router.use((c, next) =>
    config.trustedOrigins.has(c.req.header('origin') ?? '') && !isAppended(c.req.path)
      ? crossOrigin(c, next)
      : next(),
  );
}

/** A check with a path appended by a proxy: the path is another program's, so its length and origins are too. */
const isAppended = (path: string): boolean => path.startsWith('/v1/check/');

/** The methods of an address. */
function methodsAt(router: Router, path: string): string[] {
  return router.routes
    .filter((route) => route.method !== 'ALL' && matches(route.path, path))
    .map((route) => route.method);
}
