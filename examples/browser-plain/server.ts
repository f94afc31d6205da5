/**
 * A page without a build, and the authority beside it:
 * `node tools/bundle-client.ts && node --conditions=curfew-source examples/browser-plain/server.ts`
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { createAuthority } from '@curfew/server';

const authority = await createAuthority({ settings: process.env });
const files: Record<string, [type: string, path: string]> = {
  '/': ['text/html', fileURLToPath(new URL('index.html', import.meta.url))],
  '/page.js': ['text/javascript', fileURLToPath(new URL('page.js', import.meta.url))],
  '/curfew-client.js': [
    'text/javascript',
    fileURLToPath(import.meta.resolve('@curfew/client/curfew-client.js')),
  ],
};

const server = createServer((req, res) => {
  const file = files[req.url ?? ''];
  if (!file) return authority.listener(req, res);
  res.setHeader('content-type', file[0]);
  res.setHeader(
    'content-security-policy',
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src data:",
  );
  res.end(readFileSync(file[1]));
});
server.on('upgrade', authority.upgrade);

const port = Number(process.env['PORT'] ?? 8000);
server.listen(port, '127.0.0.1', () => console.log(`listening on http://localhost:${port}`));
process.once('SIGTERM', () => {
  server.close(() => void authority.close());
  authority.hangUp();
  server.closeAllConnections();
});
