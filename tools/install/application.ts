/** An authority and four back ends in one program. It prints what each back end answers before and after the logout. */
export const APPLICATION = `
  import { once } from 'node:events';
  import { createServer } from 'node:http';
  import { createRequire } from 'node:module';
  import { serve } from '@hono/node-server';
  import express from 'express';
  import fastify from 'fastify';
  import { Hono } from 'hono';
  import { createClient } from '@curfew/client';
  import { createAuthority } from '@curfew/server';
  import { curfew as ofExpress, sessionOf } from '@curfew/verifier/express';
  import { curfew as ofFastify } from '@curfew/verifier/fastify';
  import { curfew as ofFetch } from '@curfew/verifier/fetch';
  import { curfew as ofHono } from '@curfew/verifier/hono';
  const { createVerifier } = createRequire(import.meta.url)('@curfew/verifier');

  const issuer = 'http://localhost:__PORT__';
  const serviceKey = 'svc_0123456789abcdefghijklmnopqrstuvwxyz';
  const settings = { PORT: '__PORT__', CURFEW_SERVICE_KEYS: serviceKey, CURFEW_DATA: 'data', LOG_LEVEL: 'silent' };
  const authority = await createAuthority({ settings });
  const server = createServer(authority.listener).on('upgrade', authority.upgrade).listen(__PORT__, '127.0.0.1');
  await once(server, 'listening');
  const verifier = createVerifier({ authority: issuer, serviceKey, audience: issuer });
  if (!(await verifier.ready())) throw new Error('the verifier did not become fresh');

  const inExpress = express().get('/', ofExpress(verifier), (req, res) => res.send(sessionOf(req).subject)).listen(0);
  const inFastify = fastify().get('/', { onRequest: ofFastify(verifier) }, () => 'hello');
  await inFastify.listen();
  const inHono = serve({ fetch: new Hono().get('/', ofHono(verifier), (c) => c.text('hello')).fetch, port: 0 });
  await Promise.all([inExpress, inHono].map((one) => one.listening || once(one, 'listening')));
  const portOf = (one) => one.address().port;
  const withFetch = ofFetch(verifier)(() => new Response('hello'));
  const ask = {
    express: (init) => fetch('http://localhost:' + portOf(inExpress), init),
    fastify: (init) => fetch('http://localhost:' + portOf(inFastify.server), init),
    hono: (init) => fetch('http://localhost:' + portOf(inHono), init),
    fetch: async (init) => withFetch(new Request('http://localhost', init)),
  };

  if (typeof createClient !== 'function') throw new Error('no client');
  const send = async (path, body, headers = {}) => {
    const init = { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } };
    return (await fetch(issuer + path, init)).json();
  };
  const { access_token } = await send('/v1/login', { email: 'test@example.com', password: 'password123' });
  const headers = { authorization: 'Bearer ' + access_token };
  const said = { express: [], fastify: [], hono: [], fetch: [] };
  const askAll = async () => {
    for (const [name, one] of Object.entries(ask)) said[name].push((await one({ headers })).status);
  };
  await askAll();
  const { confirmed } = await send('/v1/logout', { scope: 'this' }, headers);
  if (!confirmed) throw new Error('not confirmed');
  await askAll();
  console.log(JSON.stringify(said));
  process.exit(0);`;
