/** The authority inside an Express application: `node --conditions=curfew-source examples/express.ts` */
import { createAuthority } from '@curfew/server';
import express, { type NextFunction, type Request, type Response } from 'express';

const authority = await createAuthority({ settings: process.env, basePath: '/auth' });
const app = express();

// Before any body parser, because the authority reads its requests itself. It takes the client's address from the connection, and
// from X-Forwarded-For as CURFEW_TRUSTED_PROXIES says.
app.use('/auth', authority.listener);

app.use(express.json());
app.get('/hello', loggedIn, (_req, res) => {
  res.json({ hello: res.locals['subject'] });
});

/** Lets a request pass while its session is alive. Asked in this process, so the answer is never an old one. */
async function loggedIn(req: Request, res: Response, next: NextFunction): Promise<void> {
  const headers = new Headers();
  for (const name of ['authorization', 'cookie'])
    if (req.headers[name] !== undefined) headers.set(name, String(req.headers[name]));
  const check = await authority.fetch(new globalThis.Request('http://curfew/auth/v1/check', { headers }));
  res.locals['subject'] = check.headers.get('curfew-subject');
  if (check.ok) next();
  else res.sendStatus(check.status);
}

const port = Number(process.env['PORT'] ?? 8000);
const server = app.listen(port, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${port}`));
server.on('upgrade', authority.upgrade);
process.once('SIGTERM', () => {
  server.close(() => void authority.close());
  authority.hangUp();
});
