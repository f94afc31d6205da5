/** An authority behind TLS: the feed over wss, questions over https. */
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { selfSigned } from '../../server/test/http/certificate.ts';
import { opened, sessionTokenLogin } from '../../server/test/http/logins.ts';
import { ISSUER, SERVICE_KEY } from '../../server/test/support.ts';
import { createVerifier, type Verifier } from '../src/index.ts';
import { openStage, type Stage } from './door.ts';

const certificate = selfSigned('localhost');
const usual = getCACertificates('default');
const verifiers: Verifier[] = [];
let stage: Stage;
let server: Server;
let heard: string[];
beforeAll(async () => {
  // A busy machine must not lose it.
  stage = await openStage({ CURFEW_LEASE_MS: '5000' });
  const { listener, upgrade } = stage.authority;
  server = createServer(certificate, (req, res) => {
    heard.push(`${req.url}`);
    listener(req, res);
  });
  server.on('upgrade', (req, socket, head) => {
    heard.push(`${req.url}`);
    upgrade(req, socket, head);
  });
  await new Promise<void>((ready) => server.listen(0, 'localhost', ready));
});
afterAll(async () => {
  setDefaultCACertificates(usual);
  await Promise.all(verifiers.map((one) => one.close()));
  server.closeAllConnections();
  await new Promise((over) => server.close(over));
  await stage.close();
});

function connect(said: string[] = []): Verifier {
  heard = [];
  const verifier = createVerifier({
    authority: `https://localhost:${(server.address() as AddressInfo).port}`,
    serviceKey: SERVICE_KEY,
    audience: ISSUER,
    log: (_level, message) => said.push(message),
  });
  verifiers.push(verifier);
  return verifier;
}

test('an authority without a trusted certificate is told nothing', async () => {
  const said: string[] = [];
  const verifier = connect(said);
  const { bearer } = await opened(stage.call, 2);
  expect(await verifier.verify(bearer)).toEqual({ ok: false, reason: 'unavailable' });
  await expect.poll(() => said.join('\n')).toMatch(/no connection to the authority: .*self-signed/);
  await verifier.close();
  expect(heard).toEqual([]);
});

test('the feed and the questions are encrypted', async () => {
  setDefaultCACertificates([...usual, certificate.cert]);
  const verifier = connect();
  expect(await verifier.ready(60_000)).toBe(true);
  const { bearer } = await opened(stage.call, 2);
  await expect.poll(() => verifier.metrics()).toMatch(/curfew_verifier_keys [1-9]/);
  expect(await verifier.verify(bearer)).toMatchObject({ ok: true, by: 'memory' });
  const opaque = await sessionTokenLogin(stage.call);
  expect(await verifier.verify(opaque)).toMatchObject({ ok: true, by: 'authority' });
  expect(new Set(heard)).toEqual(new Set(['/v1/feed', '/oauth/introspect']));
  expect((await stage.call('POST', '/v1/logout', { bearer })).json).toMatchObject({ confirmed: true });
  expect(await verifier.verify(bearer)).toEqual({ ok: false, reason: 'ended' });
});
