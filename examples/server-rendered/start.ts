/** The authority, the pages and Vite for their script: `node --conditions=curfew-source examples/server-rendered/start.ts` */
import { createServer } from 'node:http';
import { createAuthority } from '@curfew/server';
import { getRequestListener } from '@hono/node-server';
import { createServer as createVite } from 'vite';

const authority = await createAuthority({ settings: process.env });
const vite = await createVite({
  configFile: false,
  root: import.meta.dirname,
  appType: 'custom',
  resolve: { conditions: ['curfew-source', 'module', 'browser', 'development|production'] },
  server: { middlewareMode: true, hmr: false, ws: false },
});
const { createApp } = (await vite.ssrLoadModule('/app.tsx')) as typeof import('./app.tsx');
const app = getRequestListener(createApp(authority).fetch);

const server = createServer((req, res) => vite.middlewares(req, res, () => void app(req, res)));
server.on('upgrade', authority.upgrade);

const port = Number(process.env['PORT'] ?? 8000);
server.listen(port, '127.0.0.1', () => console.log(`listening on http://localhost:${port}`));
process.once('SIGTERM', () => {
  server.close(() => void vite.close().then(() => authority.close()));
  authority.hangUp();
  server.closeAllConnections();
});
