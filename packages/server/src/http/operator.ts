import { readFile } from 'node:fs/promises';
import type { World } from '../world/world.ts';
import { readNodes } from '../store/nodes.ts';
import { serviceCallerOnly } from './callers.ts';
import * as contract from './contract/operator.ts';
import type { Call } from './environment.ts';
import type { Metrics } from './operator/metrics.ts';
import { describeApi } from './contract/openapi.ts';
import { refuse } from './respond.ts';
import { type Router, serveRow } from './contract/serve-row.ts';
import { compressedFile, sendStatic, type StaticFile } from './static-file.ts';
import { onFault } from './v1.ts';

/* What the operator and other programs ask: health, metrics, keys, the description of the API. */

const ASSETS = new URL('../../assets/swagger-ui/', import.meta.url);
const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Curfew API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`;
const START = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#api', deepLinking: true, validatorUrl: null });\n`;
/** Everything from this server. Swagger UI sets style attributes and has its icons in data: URLs. */
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const JAVASCRIPT = 'text/javascript; charset=utf-8';
const asset = (name: string): Promise<Buffer> => readFile(new URL(name, ASSETS));
const FILES: Record<string, () => Promise<StaticFile>> = {
  '/docs/start.js': () => compressedFile(JAVASCRIPT, START),
  '/docs/swagger-ui.css': async () =>
    compressedFile('text/css; charset=utf-8', await asset('swagger-ui.css')),
  '/docs/swagger-ui-bundle.js': async () => compressedFile(JAVASCRIPT, await asset('swagger-ui-bundle.js')),
};

export function serveOperator(router: Router, world: World, metrics: Metrics): void {
  serveRow(router, contract.health, (c) => c.json({ status: 'ok' }), onFault);

  // What HAProxy asks when it is told no address: a 405 would take the node out.
  router.options('/', (c) => c.body(null, 204, { allow: 'GET, HEAD, OPTIONS' }));

  serveRow(
    router,
    contract.ready,
    async (c) => {
      const { nodes } = await readNodes(world.database, world.nodes.node.id);
      const redis = world.redis ? (world.redis.healthy ? 'up' : 'down') : 'off';
      return c.json({ status: 'ready', redis, nodes: Math.max(1, nodes.length) });
    },
    onFault,
  );

  serveRow(
    router,
    contract.metrics,
    async (c) => {
      const here = c.get('ipAddress');
      // Through a proxy on this machine everybody would look local.
      const forwarded = c.req.header('x-forwarded-for') ?? c.req.header('forwarded');
      const local = (here === '127.0.0.1' || here === '::1') && forwarded === undefined;
      if (!local && serviceCallerOnly(c, 'service_key_refused').kind !== 'service')
        return refuse(c, 'forbidden');
      return c.body(await metrics.text(), 200, { 'content-type': metrics.contentType });
    },
    onFault,
  );

  serveRow(
    router,
    contract.jwks,
    // The one answer that may be cached: shorter than a new key is published before it signs.
    (c) => c.json(world.keys.publish(), 200, { 'cache-control': 'public, max-age=300' }),
    onFault,
  );

  // All routes are there when the first one is answered.
  const description = once(() =>
    compressedFile('application/json', JSON.stringify(describeApi(router, world.config.issuer))),
  );
  serveRow(router, contract.openapi, async (c) => sendStatic(c, await description()), onFault);

  serveRow(router, contract.docs, (c) => page(c), onFault);
  for (const [path, read] of Object.entries(FILES)) {
    const file = once(read);
    router.get(path, async (c) => {
      try {
        return sendStatic(c, await file());
      } catch {
        // Installed without the assets: the description itself is at /openapi.json.
        return refuse(c, 'not_found');
      }
    });
  }
}

/** Prepares what is asked for when it is first asked for. What could not be prepared then is not tried again. */
function once(prepare: () => Promise<StaticFile>): () => Promise<StaticFile> {
  let prepared: Promise<StaticFile> | undefined;
  return () => (prepared ??= prepare());
}

function page(c: Call): Response {
  return c.html(PAGE, 200, { 'content-security-policy': PAGE_POLICY });
}
