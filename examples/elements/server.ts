/**
 * A shop with the login form and "my devices" of an authority on another origin:
 * `AUTHORITY=http://localhost:8000 PORT=3000 node examples/elements/server.ts`
 *
 * The authority trusts the shop by CURFEW_TRUSTED_ORIGINS=http://localhost:3000, and both are of one site, as
 * shop.example.com and sessions.example.com would be: the cookie is SameSite=Lax.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const authority = process.env['AUTHORITY'] ?? 'http://localhost:8000';
const port = Number(process.env['PORT'] ?? 3000);
const policy = [
  "default-src 'none'; style-src 'self'; img-src data:",
  `script-src 'self' ${authority}`,
  `connect-src ${authority} ${authority.replace(/^http/, 'ws')}`,
].join('; ');
const files: Record<string, [name: string, type: string]> = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/shop.css': ['shop.css', 'text/css'],
  '/shop.js': ['shop.js', 'text/javascript'],
};

const server = createServer((req, res) => {
  const [name, type] = files[req.url ?? ''] ?? [];
  if (name === undefined) return void res.writeHead(404).end();
  res.writeHead(200, { 'content-type': type, 'content-security-policy': policy });
  res.end(readFileSync(join(import.meta.dirname, name), 'utf8').replaceAll('%AUTHORITY%', authority));
});
server.listen(port, '127.0.0.1', () => console.log(`listening on http://localhost:${port}`));
process.once('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
});
