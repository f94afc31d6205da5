/**
 * The authority beside a Next.js application, in one custom server, because route handlers cannot open WebSockets:
 * `npx next build && node --conditions=curfew-source server.ts`
 */
import { createServer } from 'node:http';
import { createAuthority } from '@curfew/server';
import next from 'next';

const port = Number(process.env['PORT'] ?? 3000);
const authority = await createAuthority({ settings: process.env, basePath: '/auth' });
// Pages ask the authority in this process: see app/hello/page.tsx.
Object.assign(globalThis, { authority });

const app = next({ dir: import.meta.dirname, hostname: '127.0.0.1', port });
await app.prepare();
const handle = app.getRequestHandler();

const server = createServer({ maxHeaderSize: authority.config.maxHeaderBytes }, (req, res) => {
  if (authority.handles(req)) authority.listener(req, res);
  else void handle(req, res);
});
server.on('upgrade', (req, socket, head) => {
  // Next listens too, for WebSockets of its own.
  if (authority.takesUpgrade(req)) authority.upgrade(req, socket, head);
});
server.listen(port, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${port}`));
process.once('SIGTERM', () => {
  server.close(() => void authority.close().then(() => process.exit(0)));
  authority.hangUp();
});
