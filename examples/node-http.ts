/** The authority inside a program on node:http: `node --conditions=curfew-source examples/node-http.ts` */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createAuthority } from '@curfew/server';

const authority = await createAuthority({ settings: process.env, basePath: '/auth' });

async function hello(req: IncomingMessage, res: ServerResponse): Promise<void> {
  if (req.url !== '/hello') return void res.writeHead(404).end();
  const headers = new Headers();
  for (const name of ['authorization', 'cookie'])
    if (req.headers[name] !== undefined) headers.set(name, String(req.headers[name]));
  // Asked in this process, so the answer is never an old one.
  const check = await authority.fetch(new Request('http://curfew/auth/v1/check', { headers }));
  if (!check.ok) return void res.writeHead(check.status).end();
  res.writeHead(200, { 'content-type': 'application/json' });
  res.end(JSON.stringify({ hello: check.headers.get('curfew-subject') }));
}

// Node's default limit for headers is 16 KB, which many cookies exceed.
const server = createServer({ maxHeaderSize: authority.config.maxHeaderBytes }, (req, res) => {
  if (authority.handles(req)) authority.listener(req, res);
  else void hello(req, res);
});
server.on('upgrade', authority.upgrade);
const port = Number(process.env['PORT'] ?? 8000);
server.listen(port, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${port}`));
process.once('SIGTERM', () => {
  server.close(() => void authority.close());
  authority.hangUp();
});
