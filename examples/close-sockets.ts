/** Closes a back end's own sockets with their session: `node --conditions=curfew-source examples/close-sockets.ts` */
import { createServer, type IncomingMessage } from 'node:http';
import { createVerifier, type Verified } from '@curfew/verifier';
import { WebSocketServer } from 'ws';

const authority = process.env['AUTHORITY'] ?? 'http://localhost:8000';
const serviceKey = process.env['SERVICE_KEY'] ?? '';
const verifier = createVerifier({ authority, serviceKey, audience: process.env['AUDIENCE'] ?? authority });
await verifier.ready();
const verify = ({ headers }: IncomingMessage): Promise<Verified> =>
  verifier.verify(/^Bearer (\S+)$/i.exec(headers.authorization ?? '')?.[1]);

/** A stream of server-sent events. */
const server = createServer((req, res) => {
  void verify(req).then((verified) => {
    if (!verified.ok) return res.writeHead(401).end();
    res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    res.write(`data: hello ${verified.session.subject}\n\n`);
    const callOff = verifier.onEnded(verified.session, () => res.end('event: logged-out\ndata:\n\n'));
    return res.once('close', callOff);
  });
});

const sockets = new WebSocketServer({ noServer: true });
server.on('upgrade', (req, socket, head) => {
  socket.on('error', () => socket.destroy());
  void verify(req).then((verified) => {
    if (!verified.ok) return socket.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n');
    return sockets.handleUpgrade(req, socket, head, (ws) => {
      ws.send(`hello ${verified.session.subject}`);
      const callOff = verifier.onEnded(verified.session, () => ws.close(4401, 'logged out'));
      ws.once('close', callOff);
    });
  });
});
const port = Number(process.env['PORT'] ?? 3000);
server.listen(port, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${port}`));
process.once('SIGTERM', () => server.close(() => void verifier.close()));
